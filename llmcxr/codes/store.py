"""Keep the codes of a whole dataset on disk: made once by an image tokenizer, then read as integers.

A CodeStore directory holds

    metadata.json   format, dataset, tokenizer's fingerprint, grid, codebook_size, augmentations, num_images,
                    the CRC-32 of the .npy files
    codes.bin       (images, augmentations, h * w) in the smallest unsigned type that holds a code
    checksums.npy   the CRC-32 of each image's codes
    ids.npy         the image ids as sorted bytes;  rows.npy   the row in codes.bin of each
    files.npy       of each image, in the order of the rows, its file's size, time and checksum
    rejected.jsonl  what the dataset listed but gave no image of, and why; only where there is any

The arrays are memory-mapped, and opening reads the .npy files alone: the checksum in metadata.json stands for
them, and one of them for the codes, so that codes are checked as they are read and never all at once. While
it is made, the work of each process is a log of whole batches in PATH.partial, from which an interrupted
build resumes. Knows no pixels and no datasets.
"""

from __future__ import annotations

import math
import re
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llmcxr.codes.sources import Source, digest
from llmcxr.common.device import images_at_once
from llmcxr.common.errors import UserError
from llmcxr.common.files import telling_write_failures
from llmcxr.common.rejections import Rejections
from llmcxr.common.specs import name_as_today
from llmcxr.common.terminal import progress
from vqgan.files import replace_folder, replacing, write_text
from vqgan.json_text import from_json, to_json

if TYPE_CHECKING:
    from torch import Tensor

    from vqgan import VQGAN

FORMAT = "code-store-2"
LOG_FILE = "items.jsonl"  # of a build: an image id, or what was rejected, a line
ADVICE = "what is whole is kept: free some space or make the folder writable, and the same command resumes"
FILES_FILE = "files.npy"
PART, WHOLE = re.compile(r"\d{5}-of-\d{5}"), "whole"  # folders of an unfinished build
INDEX_FILES = ("checksums.npy", "ids.npy", "rows.npy")
OWN_FILES = re.compile(r"metadata\.json|codes\.bin|(checksums|ids|rows|files)\.npy|rejected\.jsonl")
CHECKSUM_ROWS = 4096  # images whose codes are in memory while their checksums are made


class Rejected(NamedTuple):
    """Names an item of a dataset that gave no image."""

    name: str
    reason: str


# Gives, from item `start` of its part on, batches of (what each item is, the images): (B, 1, H, W), or
# (B, augmentations, 1, H, W), with B the number of items with an image; or their codes where they are known,
# (B, augmentations, h, w) integers. A Source tells an image's file besides its id.
OpenBatches = Callable[[int], Iterable[tuple[Sequence["str | Source | Rejected"], "Tensor | np.ndarray"]]]


@dataclass(frozen=True)
class CodeStoreMetadata:
    fingerprint: str  # of the tokenizer that made the codes
    grid: tuple[int, int]  # rows, columns
    codebook_size: int
    augmentations: int = 1  # of each image; the first is the image as it is
    num_images: int = 0
    dataset: str = ""  # its opening string, where it has one
    sources: str = ""  # a digest of the ids and files that the dataset had
    index_checksum: int | None = None  # CRC-32 of INDEX_FILES; None in stores from before it was kept
    format: str = FORMAT

    def __post_init__(self) -> None:
        object.__setattr__(self, "grid", tuple(self.grid))

    @property
    def dtype(self) -> np.dtype:
        return np.min_scalar_type(self.codebook_size - 1)

    @property
    def bytes_per_image(self) -> int:
        return self.augmentations * math.prod(self.grid) * self.dtype.itemsize


@dataclass(frozen=True)
class Ranks:
    """Describes the processes that build one store together, each from its own part of the dataset."""

    index: int = 0
    count: int = 1
    wait: Callable[[], object] = lambda: None  # until all have called it

    def part(self, num_items: int) -> range:
        """Return this process's items: consecutive, so that the parts keep the dataset's order."""
        return range(num_items * self.index // self.count, num_items * (self.index + 1) // self.count)


class CodeStore:
    """Gives `store[image_id]`, (augmentations, h, w) int64, and by `store.read(rows)` many rows at once."""

    def __init__(self, path: Path, metadata: CodeStoreMetadata) -> None:
        self.path = path
        self.metadata = metadata
        shape = (metadata.num_images, metadata.augmentations, *metadata.grid)
        self._codes = np.memmap(path / "codes.bin", dtype=metadata.dtype, mode="r", shape=shape)
        self._checksums, self._ids, self._rows = (
            _load_index(path / name, metadata.num_images) for name in INDEX_FILES
        )

    @classmethod
    def open(cls, path: str | Path, fingerprint: str | None = None) -> CodeStore:
        """Open a store. Raises UserError for a missing or damaged one, or one made by a tokenizer other than
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
        store = cls(path, metadata)
        if metadata.index_checksum not in (None, _index_checksum(path)):
            raise UserError(
                f"{path}: expected the {', '.join(INDEX_FILES)} whose checksum is in metadata.json, found "
                "others; a file is damaged, encode the dataset again"
            )
        return store

    @classmethod
    def build(
        cls,
        path: str | Path,
        tokenizer: VQGAN,
        open_batches: OpenBatches,
        augmentations: int = 1,
        num_images: int | None = None,
        dataset: str = "",
        ranks: Ranks | None = None,
        left_out: Iterable[tuple[str, str]] = (),
        sources: str = "",
    ) -> CodeStore:
        """Encode images with the tokenizer, on its device, into a new store at `path`.

        A build that was interrupted resumes at `open_batches(items already done)`; the store appears under
        its name only when it is whole. `num_images` is for the progress bar. A whole store at `path` is
        opened instead, if it is of these `sources`, a name of what the dataset holds; else the new one takes
        its place. Where several processes build, each gives the batches of `ranks.part(...)`, and all
        return when the first has put the parts together. `left_out` are the (name, reason) of what was
        rejected before. Raises UserError where `path` or an interrupted build there is of another tokenizer,
        dataset or number of augmentations, or where the disk is full.
        """
        path, ranks = Path(path), ranks or Ranks()
        metadata = CodeStoreMetadata(
            tokenizer.fingerprint, tokenizer.config.grid, tokenizer.config.codebook_size, augmentations,
            dataset=dataset, sources=sources,
        )  # fmt: skip
        if path.exists():
            store = cls.open_same(path, metadata)
            if sources in ("", store.metadata.sources):
                return store
        partial = _partial_folder(path)
        part = _part_folder(partial, ranks)
        with telling_write_failures(partial, ADVICE):
            start = _prepare(part, metadata)
        _encode(part, metadata, tokenizer, open_batches, start, num_images, is_shown=ranks.index == 0)
        ranks.wait()
        if ranks.index == 0:
            parts = [_part_folder(partial, replace(ranks, index=index)) for index in range(ranks.count)]
            _put_together(parts, path, [Rejected(*entry) for entry in left_out])
        ranks.wait()
        return cls.open_same(path, metadata)

    @classmethod
    def open_same(cls, path: Path, wanted: CodeStoreMetadata) -> CodeStore:
        """Open a store. Raises UserError for one of another tokenizer, dataset or number of augmentations."""
        store = cls.open(path, wanted.fingerprint)
        if _describe(store.metadata) != _describe(wanted):
            raise UserError(
                f"{path}: these are the codes with {_describe(store.metadata)}, "
                f"but {_describe(wanted)} is asked for; remove it or choose another place"
            )
        return store

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
        """List the ids in the order of the rows."""
        ids = np.empty(len(self), dtype=self._ids.dtype)
        ids[self._rows] = self._ids
        return [image_id.decode() for image_id in ids]

    @property
    def rejected(self) -> list[Rejected]:
        """List what the dataset listed but gave no image of."""
        file = self.path / "rejected.jsonl"
        if not file.is_file():
            return []
        try:
            return [Rejected(**from_json(line)) for line in file.read_text(encoding="utf-8").splitlines()]
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{file}: expected a list of what was left out, found a damaged file; remove it"
            ) from error

    @property
    def files(self) -> np.ndarray | None:
        """Return the size, time and CRC-32 of each row's file, (N, 3) int64; None where not known."""
        file = self.path / FILES_FILE
        if not file.is_file():
            return None
        return _load_index(file, len(self), (3,))

    def remember_sources(self, sources: Sequence[Source]) -> None:
        """Note that these, which may have other times, are the files that the store was made of."""
        if self.files is None:
            return
        now = {source.image_id: source for source in sources}
        files = np.array(self.files)
        files[:, 1] = [now[image_id].modified for image_id in self.image_ids]
        with replacing(self.path / FILES_FILE) as beside, beside.open("wb") as file:
            np.save(file, files)
        _write_metadata(self.path, replace(self.metadata, sources=digest(sources)))

    def read(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Read (len(rows), augmentations, h, w) int64, each checked to be the code that was written."""
        rows = np.asarray(rows, dtype=np.int64)
        codes = self._codes[rows]
        if codes.size and codes.max() >= self.metadata.codebook_size:
            raise UserError(
                f"{self.path / 'codes.bin'}: expected codes below {self.metadata.codebook_size}, "
                f"found {codes.max()}; the file is damaged, encode the dataset again"
            )
        damaged = int((_checksums(codes) != self._checksums[rows]).sum())
        if damaged:
            raise UserError(
                f"{self.path / 'codes.bin'}: expected the codes whose checksums are in checksums.npy, found "
                f"others for {damaged} of {len(rows)} images; the file is damaged, encode the dataset again"
            )
        return codes.astype(np.int64)

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
        values = from_json(file.read_text(encoding="utf-8"))
        metadata = CodeStoreMetadata(**values)
    except (ValueError, TypeError) as error:
        raise UserError(f"{file}: expected the metadata of a CodeStore, found {error}") from error
    if metadata.format != FORMAT:
        raise UserError(f"{file}: expected format {FORMAT!r}, found {metadata.format!r}")
    counts = (*metadata.grid, metadata.codebook_size, metadata.augmentations)
    are_counts = all(type(count) is int and 0 < count < 2**31 for count in counts) and len(metadata.grid) == 2
    if not are_counts or type(metadata.num_images) is not int or not isinstance(metadata.fingerprint, str):
        raise UserError(
            f"{file}: expected a grid of two sides, a codebook_size, augmentations and a fingerprint, found "
            "others; encode the dataset again"
        )
    return metadata


def _check_files(path: Path, metadata: CodeStoreMetadata) -> None:
    for name in ("codes.bin", *INDEX_FILES):
        if not (path / name).is_file():
            raise UserError(f"{path}: expected a file {name}, found none; encode the dataset again")
    expected = metadata.num_images * metadata.bytes_per_image
    found = (path / "codes.bin").stat().st_size
    if found != expected:
        raise UserError(
            f"{path / 'codes.bin'}: expected {expected} bytes, found {found}; encode the dataset again"
        )


def _load_index(file: Path, num_images: int, inner: tuple[int, ...] = ()) -> np.ndarray:
    """Load (num_images, *inner), memory-mapped. Raises UserError for a file cut short or of another shape."""
    try:
        entries = np.load(file, mmap_mode="r")
    except Exception as error:  # numpy answers a damaged head with errors of many kinds
        raise UserError(
            f"{file}: expected an array, found {error}; the file is damaged, encode the dataset again"
        ) from error
    if entries.shape != (num_images, *inner):
        raise UserError(
            f"{file}: expected {num_images} entries, found an array of shape {entries.shape}; "
            "the file is damaged, encode the dataset again"
        )
    return entries


def _index_checksum(path: Path) -> int:
    checksum = 0
    for name in INDEX_FILES:
        checksum = zlib.crc32((path / name).read_bytes(), checksum)
    return checksum


def _checksums(codes: np.ndarray) -> np.ndarray:
    """Compute of stored codes (N, ...) the CRC-32 of each image's, (N,) uint32."""
    return np.array([zlib.crc32(image) for image in np.ascontiguousarray(codes)], np.uint32)


def _partial_folder(path: Path) -> Path:
    """Say where a build of `path` keeps its parts. Raises UserError where something else is."""
    partial = path.with_name(f"{path.name}.partial")
    others = partial.exists() and (not partial.is_dir() or _list_others(partial))
    if others:
        raise UserError(
            f"{partial}: expected no such folder, or the parts of an interrupted build, found other files; "
            "move them, or choose another place"
        )
    return partial


def _list_others(partial: Path) -> list[Path]:
    return [path for path in partial.iterdir() if not PART.fullmatch(path.name) and path.name != WHOLE]


def _remove_partial(partial: Path) -> None:
    for path in (*partial.glob("*-of-*"), partial / WHOLE):
        shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):  # what is not of a build stays
        partial.rmdir()


def rescue(path: Path, sources: str) -> None:
    """Turn an interrupted build of other `sources` into a store of what it has, to be gone on from; where a
    store is at `path` already, or the build has nothing, it is removed.
    """
    partial = _partial_folder(path)
    parts = sorted(folder for folder in partial.glob("*-of-*") if (folder / "metadata.json").is_file())
    if not parts or _read_metadata(parts[0]).sources in (sources, ""):
        return
    for part in parts:
        _prepare(part, _read_metadata(part))
    if path.exists() or not any(not isinstance(item, Rejected) for part in parts for item in _read_log(part)):
        _remove_partial(partial)
    else:
        _put_together(parts, path, [])


def _part_folder(partial: Path, ranks: Ranks) -> Path:
    """Say where this process keeps its part. Raises UserError where the number of processes changed."""
    begun = {int(folder.name.rpartition("-")[2]) for folder in partial.glob("*-of-*")}
    if begun - {ranks.count}:
        raise UserError(
            f"{partial}: a build by {max(begun)} processes was interrupted here, now {ranks.count} are at "
            f"work; start {max(begun)} again, or remove it"
        )
    return partial / f"{ranks.index:05d}-of-{ranks.count:05d}"


def _prepare(part: Path, metadata: CodeStoreMetadata) -> int:
    """Make the folder of a part, or cut that of an interrupted build to whole items; returns their number."""
    if not (part / "metadata.json").exists():
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        (part / "codes.bin").touch()
        (part / LOG_FILE).touch()
        _write_metadata(part, metadata)
        return 0
    begun = _read_metadata(part)
    if _describe(begun) != _describe(metadata):
        raise UserError(
            f"{part.parent}: an interrupted build with {_describe(begun)} is here, "
            f"now {_describe(metadata)} is asked for; remove it or choose another place"
        )
    items, num_images = [], 0
    for name in ("codes.bin", LOG_FILE):
        if not (part / name).is_file():
            raise UserError(f"{part / name}: missing of an interrupted build; remove {part.parent}")
    num_stored = (part / "codes.bin").stat().st_size // metadata.bytes_per_image
    for item in _read_log(part):
        num_images += not isinstance(item, Rejected)
        if num_images > num_stored:
            num_images -= 1
            break
        items.append(item)
    with open(part / "codes.bin", "r+b") as file:
        file.truncate(num_images * metadata.bytes_per_image)
    write_text(part / LOG_FILE, "".join(map(_to_line, items)))
    return len(items)


def _describe(metadata: CodeStoreMetadata) -> str:
    source = f", of {name_as_today(metadata.dataset)}" if metadata.dataset else ""
    tokenizer = metadata.fingerprint[:12]
    return f"tokenizer {tokenizer} and {metadata.augmentations} augmentations an image{source}"


def _encode(
    part: Path,
    metadata: CodeStoreMetadata,
    tokenizer: VQGAN,
    open_batches: OpenBatches,
    start: int,
    num_images: int | None,
    is_shown: bool,
) -> None:
    with progress("encode", num_images, is_shown) as advance:
        advance(start)
        for items, images in open_batches(start):
            codes = _encode_batch(tokenizer, images, metadata)
            with telling_write_failures(part.parent, ADVICE):
                # codes first: a code without its line in the log is cut off again
                _append(part / "codes.bin", codes.astype(metadata.dtype).tobytes())
                _append(part / LOG_FILE, "".join(map(_to_line, items)).encode())
            advance(len(items))


def _encode_batch(tokenizer: VQGAN, images: Tensor | np.ndarray, metadata: CodeStoreMetadata) -> np.ndarray:
    """Encode (B, 1, H, W) or (B, augmentations, 1, H, W) as (B, augmentations, h, w); codes stay."""
    if isinstance(images, np.ndarray):
        return images
    if images.ndim == 4:
        images = images.unsqueeze(1)
    if images.shape[1] != metadata.augmentations:
        raise ValueError(
            f"expected {metadata.augmentations} augmentations of each image, got images {tuple(images.shape)}"
        )
    if not len(images):
        return np.zeros((0, metadata.augmentations, *metadata.grid), metadata.dtype)
    device = next(tokenizer.parameters()).device
    parts = images.flatten(0, 1).split(images_at_once(images.shape[-1], device.type))
    codes = np.concatenate([tokenizer.encode(part.to(device)).cpu().numpy() for part in parts])
    if codes.min() < 0 or codes.max() >= metadata.codebook_size:
        raise UserError(
            f"expected codes in 0..{metadata.codebook_size - 1} of the image tokenizer "
            f"{metadata.fingerprint[:12]}, found {codes.min()}..{codes.max()}; its weights are damaged"
        )
    return codes.reshape(*images.shape[:2], *metadata.grid)


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def _to_line(item: str | Source | Rejected) -> str:
    return to_json(item._asdict() if isinstance(item, Rejected) else item) + "\n"


def _read_log(part: Path) -> Iterator[Source | Rejected]:
    with (part / LOG_FILE).open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):  # the last one may be cut off
                yield _read_item(part, line)


def _read_item(part: Path, line: str) -> Source | Rejected:
    try:
        item = from_json(line)
        if isinstance(item, dict):
            return Rejected(**item)
        return Source(item) if isinstance(item, str) else Source(*item)  # older logs have the id alone
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{part / LOG_FILE}: expected the log of an interrupted build, found a damaged file; remove "
            f"{part.parent}, and the encoding begins anew"
        ) from error


def _put_together(parts: Sequence[Path], path: Path, left_out: Sequence[Rejected]) -> None:
    """Join the parts beside them, sort the index, and give the whole its name."""
    items = [item for part in parts for item in _read_log(part)]
    sources = [item for item in items if not isinstance(item, Rejected)]
    ids = np.array([source.image_id.encode() for source in sources])
    rejected = [*left_out, *(item for item in items if isinstance(item, Rejected))]
    if fault := _find_fault(ids, rejected):
        _remove_partial(parts[0].parent)  # going on from it could only fail again
        raise UserError(f"{path}: {fault}")
    whole = parts[0].with_name(WHOLE)
    with telling_write_failures(path, ADVICE):
        _write_whole(whole, parts, ids, rejected)
        np.save(whole / FILES_FILE, np.array([source[1:] for source in sources], np.int64))
        replace_folder(path, whole, OWN_FILES)
    _remove_partial(parts[0].parent)


def _find_fault(ids: np.ndarray, rejected: Sequence[Rejected]) -> str:
    if not len(ids):
        why = f" that can be read among {len(rejected)}; {rejected[0].reason}" if rejected else ""
        return f"expected images to encode, found none{why}"
    repeated = len(ids) - len(np.unique(ids))
    return tell_repeated(repeated, len(ids)) if repeated else ""


def tell_repeated(repeated: int, total: int) -> str:
    return (
        f"expected every image id once, found {repeated} repeated among {total}; leave each image in the "
        "dataset once, or give the copies other names"
    )


def _write_whole(whole: Path, parts: Sequence[Path], ids: np.ndarray, rejected: Sequence[Rejected]) -> None:
    shutil.rmtree(whole, ignore_errors=True)
    whole.mkdir()
    with (whole / "codes.bin").open("wb") as joined:
        for part in parts:
            with (part / "codes.bin").open("rb") as codes:
                shutil.copyfileobj(codes, joined)
    metadata = replace(_read_metadata(parts[0]), num_images=len(ids))
    np.save(whole / "checksums.npy", _checksums_of_file(whole / "codes.bin", metadata))
    order = np.argsort(ids, kind="stable")
    np.save(whole / "ids.npy", ids[order])
    np.save(whole / "rows.npy", order.astype(np.int64))
    Rejections(whole / "rejected.jsonl", rejected).write()
    _write_metadata(whole, replace(metadata, index_checksum=_index_checksum(whole)))


def _checksums_of_file(file: Path, metadata: CodeStoreMetadata) -> np.ndarray:
    """Compute (num_images,) uint32 with few codes in memory at a time."""
    size, checksums = metadata.bytes_per_image, []
    with file.open("rb") as codes:
        while block := codes.read(size * CHECKSUM_ROWS):
            checksums.append(_checksums(np.frombuffer(block, np.uint8).reshape(-1, size)))
    return np.concatenate(checksums)


def _write_metadata(directory: Path, metadata: CodeStoreMetadata) -> None:
    write_text(directory / "metadata.json", to_json(asdict(metadata), indent=2) + "\n")
