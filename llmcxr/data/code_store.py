"""The codes of a whole dataset on disk: made once by an image tokenizer, then read as integers.

A CodeStore directory holds

    metadata.json   format, fingerprint of the tokenizer, grid, codebook_size, augmentations, num_images
    codes.bin       (images, augmentations, h * w) in the smallest unsigned type that holds a code
    ids.npy         the image ids as sorted bytes;  rows.npy   the row in codes.bin of each

All are memory-mapped, so that opening takes the same time at any size. Knows no pixels and no datasets.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from llmcxr.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from vqgan import VQGAN

FORMAT = "code-store-1"
# Gives, from image number `start` on, batches of ids and images: (B, 1, H, W), or (B, augmentations, 1, H,
# W).
OpenBatches = Callable[[int], Iterable[tuple[Sequence[str], "Tensor"]]]


@dataclass(frozen=True)
class CodeStoreMetadata:
    fingerprint: str  # of the tokenizer that made the codes
    grid: tuple[int, int]  # rows, columns
    codebook_size: int
    augmentations: int = 1  # codings of each image; the first is of the image as it is
    num_images: int = 0
    format: str = FORMAT

    def __post_init__(self) -> None:
        object.__setattr__(self, "grid", tuple(self.grid))

    @property
    def dtype(self) -> np.dtype:
        return np.min_scalar_type(self.codebook_size - 1)

    @property
    def bytes_per_image(self) -> int:
        return self.augmentations * math.prod(self.grid) * self.dtype.itemsize


class CodeStore:
    """`store[image_id]` -> (augmentations, h, w) int64; `store.read(rows)` -> many at once, by row."""

    def __init__(self, path: Path, metadata: CodeStoreMetadata) -> None:
        self.path = path
        self.metadata = metadata
        shape = (metadata.num_images, metadata.augmentations, *metadata.grid)
        self._codes = np.memmap(path / "codes.bin", dtype=metadata.dtype, mode="r", shape=shape)
        self._ids = np.load(path / "ids.npy", mmap_mode="r")
        self._rows = np.load(path / "rows.npy", mmap_mode="r")

    @classmethod
    def open(cls, path: str | Path, fingerprint: str | None = None) -> CodeStore:
        """Raises UserError for a missing or damaged store, or one made by a tokenizer other than
        `fingerprint`.
        """
        path = Path(path)
        metadata = _read_metadata(path)
        if fingerprint is not None and fingerprint != metadata.fingerprint:
            raise UserError(
                f"{path}: these codes were made by the image tokenizer {metadata.fingerprint[:12]}, "
                f"but the one in use is {fingerprint[:12]}; encode the dataset again with it"
            )
        _check_files(path, metadata)
        return cls(path, metadata)

    @classmethod
    def build(
        cls,
        path: str | Path,
        tokenizer: VQGAN,
        open_batches: OpenBatches,
        augmentations: int = 1,
        num_images: int | None = None,
    ) -> CodeStore:
        """Encode images with the tokenizer, on its device, into a new store at `path`.

        A build that was interrupted goes on at `open_batches(images already done)`; the store appears under
        its name only when it is whole. `num_images` is for the progress bar. A whole store at `path` is
        opened instead.
        """
        path = Path(path)
        metadata = CodeStoreMetadata(
            tokenizer.fingerprint, tokenizer.config.grid, tokenizer.config.codebook_size, augmentations
        )
        if not path.exists():
            partial = path.with_name(path.name + ".partial")
            start = _prepare(partial, metadata)
            _encode(partial, metadata, tokenizer, open_batches, start, num_images)
            _finish(partial, metadata, path)
        return cls.open(path, metadata.fingerprint)

    def __len__(self) -> int:
        return self.metadata.num_images

    def __contains__(self, image_id: str) -> bool:
        return self._find(image_id) is not None

    def __getitem__(self, image_id: str) -> np.ndarray:
        row = self._find(image_id)
        if row is None:
            raise KeyError(f"{self.path} holds no codes of this image id, among {len(self)} images")
        return self.read([row])[0]

    @property
    def image_ids(self) -> list[str]:
        """In the order of the rows."""
        ids = np.empty(len(self), dtype=self._ids.dtype)
        ids[self._rows] = self._ids
        return [image_id.decode() for image_id in ids]

    def read(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """(len(rows), augmentations, h, w) int64, each checked to be a code of the tokenizer."""
        codes = self._codes[np.asarray(rows, dtype=np.int64)].astype(np.int64)
        if codes.size and codes.max() >= self.metadata.codebook_size:
            raise UserError(
                f"{self.path / 'codes.bin'}: expected codes below {self.metadata.codebook_size}, "
                f"found {codes.max()}; the file is damaged, encode the dataset again"
            )
        return codes

    def _find(self, image_id: str) -> int | None:
        key = np.bytes_(image_id.encode())
        position = int(np.searchsorted(self._ids, key))
        if position == len(self._ids) or self._ids[position] != key:
            return None
        return int(self._rows[position])


def _read_metadata(path: Path) -> CodeStoreMetadata:
    file = path / "metadata.json"
    if not file.is_file():
        raise UserError(
            f"{path}: expected a CodeStore directory with a metadata.json, found none; encode a dataset first"
        )
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        metadata = CodeStoreMetadata(**values)
    except (ValueError, TypeError) as error:
        raise UserError(f"{file}: expected the metadata of a CodeStore, found {error}") from error
    if metadata.format != FORMAT:
        raise UserError(f"{file}: expected format {FORMAT!r}, found {metadata.format!r}")
    return metadata


def _check_files(path: Path, metadata: CodeStoreMetadata) -> None:
    for name in ("codes.bin", "ids.npy", "rows.npy"):
        if not (path / name).is_file():
            raise UserError(f"{path}: expected a file {name}, found none; encode the dataset again")
    expected = metadata.num_images * metadata.bytes_per_image
    found = (path / "codes.bin").stat().st_size
    if found != expected:
        raise UserError(
            f"{path / 'codes.bin'}: expected {expected} bytes, found {found}; encode the dataset again"
        )


def _prepare(partial: Path, metadata: CodeStoreMetadata) -> int:
    """Make the folder of a build, or cut the one of an interrupted build to whole images; returns their
    number.
    """
    if not (partial / "metadata.json").exists():
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        (partial / "codes.bin").touch()
        (partial / "ids.txt").touch()
        _write_metadata(partial, metadata)
        return 0
    begun = _read_metadata(partial)
    if begun != metadata:
        raise UserError(
            f"{partial}: an interrupted build with {_describe(begun)} is here, "
            f"now {_describe(metadata)} is asked for; remove it or choose another place"
        )
    text = (partial / "ids.txt").read_text(encoding="utf-8")
    ids = text[: text.rfind("\n") + 1].splitlines()  # the last line may be cut off
    start = min(len(ids), (partial / "codes.bin").stat().st_size // metadata.bytes_per_image)
    with open(partial / "codes.bin", "r+b") as file:
        file.truncate(start * metadata.bytes_per_image)
    (partial / "ids.txt").write_text("".join(f"{line}\n" for line in ids[:start]), encoding="utf-8")
    return start


def _describe(metadata: CodeStoreMetadata) -> str:
    return f"tokenizer {metadata.fingerprint[:12]} and {metadata.augmentations} codings an image"


def _encode(
    partial: Path,
    metadata: CodeStoreMetadata,
    tokenizer: VQGAN,
    open_batches: OpenBatches,
    start: int,
    num_images: int | None,
) -> None:
    from tqdm import tqdm

    codes_file, ids_file = partial / "codes.bin", partial / "ids.txt"
    with (
        open(codes_file, "ab") as codes_out,
        open(ids_file, "a", encoding="utf-8") as ids_out,
        tqdm(total=num_images, initial=start, desc="encode", unit="image") as bar,
    ):
        for image_ids, images in open_batches(start):
            codes = _encode_batch(tokenizer, images, metadata)
            codes_out.write(codes.astype(metadata.dtype).tobytes())
            codes_out.flush()
            ids_out.write("".join(json.dumps(image_id) + "\n" for image_id in image_ids))
            ids_out.flush()
            bar.update(len(image_ids))


def _encode_batch(tokenizer: VQGAN, images: Tensor, metadata: CodeStoreMetadata) -> np.ndarray:
    """(B, 1, H, W) or (B, augmentations, 1, H, W) -> (B, augmentations, h, w)."""
    if images.ndim == 4:
        images = images.unsqueeze(1)
    if images.shape[1] != metadata.augmentations:
        raise ValueError(
            f"expected {metadata.augmentations} codings of each image, got images {tuple(images.shape)}"
        )
    device = next(tokenizer.parameters()).device
    codes = tokenizer.encode(images.flatten(0, 1).to(device))
    return codes.cpu().numpy().reshape(*images.shape[:2], *metadata.grid)


def _finish(partial: Path, metadata: CodeStoreMetadata, path: Path) -> None:
    """Sort the index, write the metadata that counts the images, and give the folder its name."""
    lines = (partial / "ids.txt").read_text(encoding="utf-8").splitlines()
    if not lines:
        raise UserError(f"{path}: expected images to encode, found none")
    ids = np.array([json.loads(line).encode() for line in lines])
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    repeated = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(repeated):
        raise UserError(
            f"{path}: expected every image id once, found {len(repeated)} repeated among {len(ids)}"
        )
    np.save(partial / "ids.npy", ordered)
    np.save(partial / "rows.npy", order.astype(np.int64))
    values: Mapping = asdict(metadata) | {"num_images": len(ids)}
    _write_metadata(partial, CodeStoreMetadata(**values))
    (partial / "ids.txt").unlink()
    partial.rename(path)


def _write_metadata(directory: Path, metadata: CodeStoreMetadata) -> None:
    temporary = directory / "metadata.json.tmp"
    temporary.write_text(json.dumps(asdict(metadata), indent=2) + "\n", encoding="utf-8")
    temporary.replace(directory / "metadata.json")
