import errno
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from llmcxr.codes import store as code_store
from llmcxr.codes.store import CodeStore, Ranks, Rejected
from llmcxr.common.errors import UserError
from vqgan import VQGAN, VQGANConfig
from vqgan.layers import CXRConfig
from vqgan.quantizers.fsq import FSQConfig

IMAGES = torch.rand(10, 1, 32, 32, generator=torch.Generator().manual_seed(0))
IDS = [f"image-{number}" for number in (3, 10, 2, 7, 5, 1, 0, 8, 6, 9)]  # not in order


def build_tokenizer(seed: int = 0, levels: tuple[int, ...] = (5, 5, 5)) -> VQGAN:
    torch.manual_seed(seed)
    config = VQGANConfig(
        image_size=32,
        cxr=CXRConfig(stem_channels=8, grid_channels=8, level_blocks=0, grid_blocks=1, num_heads=1),
        fsq=FSQConfig(levels),
    )
    return VQGAN(config).eval()


def batches_of(images: torch.Tensor = IMAGES, ids: list[str] = IDS, fail_at: int | None = None) -> Callable:
    def open_batches(start: int) -> Iterator[tuple[list[str], torch.Tensor]]:
        for first in range(start, len(ids), 3):
            if fail_at is not None and first >= fail_at:
                raise KeyboardInterrupt
            yield ids[first : first + 3], images[first : first + 3]

    return open_batches


def edit_metadata(path: Path, **changes) -> None:
    file = path / "metadata.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_codes_are_found_by_image_id_and_by_row(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    store = CodeStore.build(tmp_path / "codes", tokenizer, batches_of(), num_images=10)
    expected = tokenizer.encode(IMAGES).numpy()
    assert len(store) == 10 and store.image_ids == IDS
    for row, image_id in enumerate(IDS):
        assert image_id in store
        assert store[image_id].tolist() == expected[row][None].tolist()
    assert store.read([4, 0]).tolist() == expected[[4, 0]][:, None].tolist()
    assert store["image-1"].shape == (1, *tokenizer.config.grid) and store["image-1"].dtype == np.int64
    assert store.metadata.fingerprint == tokenizer.fingerprint
    assert "image-4" not in store and "image-33" not in store and "zz" not in store
    with pytest.raises(KeyError, match="10 images"):
        store["image-4"]


def test_several_augmentations_of_each_image(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    darker = torch.stack([IMAGES, IMAGES / 2], dim=1)  # (10, 2, 1, 32, 32)
    store = CodeStore.build(tmp_path / "codes", tokenizer, batches_of(darker), augmentations=2)
    assert store["image-2"].tolist() == tokenizer.encode(torch.stack([IMAGES[2], IMAGES[2] / 2])).tolist()
    with pytest.raises(ValueError, match="expected 2 augmentations of each image"):
        CodeStore.build(tmp_path / "other", tokenizer, batches_of(IMAGES), augmentations=2)


@pytest.mark.parametrize(("levels", "bytes_per_code"), [((16, 16), 1), ((257,), 2), ((8, 5, 5, 5), 2)])
def test_codes_take_the_smallest_type(tmp_path: Path, levels: tuple[int, ...], bytes_per_code: int) -> None:
    tokenizer = build_tokenizer(levels=levels)
    CodeStore.build(tmp_path / "codes", tokenizer, batches_of())
    rows, columns = tokenizer.config.grid
    assert (tmp_path / "codes" / "codes.bin").stat().st_size == 10 * rows * columns * bytes_per_code


def test_an_interrupted_build_resumes_and_gives_the_same_store(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    whole = CodeStore.build(tmp_path / "whole", tokenizer, batches_of())
    path, partial = tmp_path / "cut", tmp_path / "cut.partial" / "00000-of-00001"
    with pytest.raises(KeyboardInterrupt):
        CodeStore.build(path, tokenizer, batches_of(fail_at=6))
    assert not path.exists()
    with open(partial / "codes.bin", "ab") as file:  # a write that was cut off
        file.write(b"\x01\x02\x03")
    with open(partial / "items.jsonl", "a") as file:
        file.write('"image-0')
    starts = []

    def open_batches(start: int) -> Iterator:
        starts.append(start)
        return batches_of()(start)

    resumed = CodeStore.build(path, tokenizer, open_batches)
    assert starts == [6] and not partial.parent.exists()
    assert resumed.image_ids == whole.image_ids
    assert resumed.read(range(10)).tolist() == whole.read(range(10)).tolist()


def test_an_interrupted_build_of_another_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        CodeStore.build(tmp_path / "codes", build_tokenizer(), batches_of(fail_at=6))
    with pytest.raises(UserError, match="an interrupted build with tokenizer"):
        CodeStore.build(tmp_path / "codes", build_tokenizer(seed=1), batches_of())


def test_building_again_opens_what_is_there(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    CodeStore.build(tmp_path / "codes", tokenizer, batches_of())
    again = CodeStore.build(tmp_path / "codes", tokenizer, batches_of(fail_at=0))
    assert len(again) == 10


def test_another_tokenizer_is_an_error_that_names_both(tmp_path: Path) -> None:
    ours, other = build_tokenizer(), build_tokenizer(seed=1)
    CodeStore.build(tmp_path / "codes", ours, batches_of())
    assert len(CodeStore.open(tmp_path / "codes", ours.fingerprint)) == 10
    with pytest.raises(UserError) as caught:
        CodeStore.open(tmp_path / "codes", other.fingerprint)
    assert ours.fingerprint[:12] in str(caught.value) and other.fingerprint[:12] in str(caught.value)


def test_repeated_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="found 1 repeated among 10") as caught:
        CodeStore.build(tmp_path / "codes", build_tokenizer(), batches_of(ids=[*IDS[:9], IDS[0]]))
    assert "image-3" not in str(caught.value)


def test_codes_beyond_the_codebook_are_noticed_on_read(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    CodeStore.build(tmp_path / "codes", tokenizer, batches_of())
    codes = np.memmap(tmp_path / "codes" / "codes.bin", dtype=np.uint8, mode="r+")
    codes[0] = 125  # of 125 codes, so 124 is the last
    codes.flush()
    store = CodeStore.open(tmp_path / "codes")
    with pytest.raises(UserError, match="expected codes below 125, found 125"):
        store[IDS[0]]
    store[IDS[1]]


@pytest.mark.parametrize("name", ["codes.bin", "checksums.npy", "ids.npy", "rows.npy", "metadata.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    CodeStore.build(tmp_path / "codes", build_tokenizer(), batches_of())
    (tmp_path / "codes" / name).unlink()
    with pytest.raises(UserError, match=name):
        CodeStore.open(tmp_path / "codes")


def test_damaged_stores_are_described(tmp_path: Path) -> None:
    path = tmp_path / "codes"
    CodeStore.build(path, build_tokenizer(), batches_of())
    edit_metadata(path, num_images=11)
    with pytest.raises(UserError, match="expected 88 bytes, found 80"):
        CodeStore.open(path)
    edit_metadata(path, format="code-store-9")
    with pytest.raises(UserError, match="expected format 'code-store-2', found 'code-store-9'"):
        CodeStore.open(path)
    edit_metadata(path, colour="grey")
    with pytest.raises(UserError, match="expected the metadata of a CodeStore"):
        CodeStore.open(path)
    (path / "metadata.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="expected the metadata of a CodeStore"):
        CodeStore.open(path)
    with pytest.raises(UserError, match="expected a CodeStore directory"):
        CodeStore.open(tmp_path)


def test_an_empty_dataset_gives_no_store(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected images to encode, found none"):
        CodeStore.build(tmp_path / "codes", build_tokenizer(), batches_of(ids=[]))
    assert not list(tmp_path.iterdir())


def test_what_gave_no_image_is_listed(tmp_path: Path) -> None:
    items = ["image-1", Rejected("study 1", "cut short"), "image-2"]
    store = CodeStore.build(tmp_path / "codes", build_tokenizer(), lambda start: [(items, IMAGES[:2])])
    assert store.image_ids == ["image-1", "image-2"]
    assert store.rejected == [Rejected("study 1", "cut short")]


INDEX_FILES = ["checksums.npy", "ids.npy", "rows.npy"]


@pytest.mark.parametrize("name", INDEX_FILES)
@pytest.mark.parametrize("num_bytes", [0, 40, -1])  # none, within the header, within the last entry
def test_an_index_that_is_cut_short_is_named(tmp_path: Path, name: str, num_bytes: int) -> None:
    CodeStore.build(tmp_path / "codes", build_tokenizer(), batches_of())
    file = tmp_path / "codes" / name
    file.write_bytes(file.read_bytes()[:num_bytes])
    with pytest.raises(UserError, match=f"{name}: expected an array, found .*damaged, encode the dataset"):
        CodeStore.open(tmp_path / "codes")


@pytest.mark.parametrize("name", INDEX_FILES)
def test_an_index_of_other_entries_is_noticed(tmp_path: Path, name: str) -> None:
    path = tmp_path / "codes"
    CodeStore.build(path, build_tokenizer(), batches_of())
    entries = np.load(path / name)
    np.save(path / name, entries[:9])
    with pytest.raises(UserError, match=f"{name}: expected 10 entries, found an array of shape .9,."):
        CodeStore.open(path)
    np.save(path / name, entries[::-1])
    with pytest.raises(UserError, match=r"whose checksum is in metadata\.json, found others; .*damaged"):
        CodeStore.open(path)


def test_a_store_from_before_the_index_had_a_checksum_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "codes"
    CodeStore.build(path, build_tokenizer(), batches_of())
    values = json.loads((path / "metadata.json").read_text())
    del values["index_checksum"]
    (path / "metadata.json").write_text(json.dumps(values))
    assert CodeStore.open(path).image_ids == IDS


def test_a_damaged_code_is_noticed_by_its_checksum(tmp_path: Path) -> None:
    store = CodeStore.build(tmp_path / "codes", build_tokenizer(), batches_of())
    codes = np.memmap(tmp_path / "codes" / "codes.bin", dtype=np.uint8, mode="r+")
    codes[-1] = (codes[-1] + 1) % 125  # a code as good as any, but not the one that was written
    codes.flush()
    assert len(store.read(range(9))) == 9
    with pytest.raises(UserError, match="others for 1 of 10 images"):
        store.read(range(10))


@pytest.mark.parametrize("num_ranks", [2, 3, 11])  # 11: one process has nothing to do
def test_parts_of_several_processes_make_the_store_of_one(tmp_path: Path, num_ranks: int) -> None:
    tokenizer = build_tokenizer()
    whole = CodeStore.build(tmp_path / "whole", tokenizer, batches_of())
    barrier = threading.Barrier(num_ranks)
    stores = {}

    def encode(index: int) -> None:
        ranks = Ranks(index, num_ranks, barrier.wait)
        part = ranks.part(10)
        batches = batches_of(IMAGES[part.start : part.stop], IDS[part.start : part.stop])
        stores[index] = CodeStore.build(tmp_path / "shared", tokenizer, batches, ranks=ranks)

    threads = [threading.Thread(target=encode, args=(index,)) for index in range(num_ranks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores) == num_ranks
    for store in stores.values():
        assert store.image_ids == whole.image_ids
        assert (store.read(range(10)) == whole.read(range(10))).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shared", "whole"]


def test_going_on_with_another_number_of_processes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        CodeStore.build(tmp_path / "codes", build_tokenizer(), batches_of(fail_at=6), ranks=Ranks(0, 2))
    with pytest.raises(UserError, match="by 2 processes was interrupted here, now 1"):
        CodeStore.build(tmp_path / "codes", build_tokenizer(), batches_of())


@pytest.mark.parametrize("was_whole", [True, False])
def test_another_dataset_or_number_of_augmentations_is_refused(tmp_path: Path, was_whole: bool) -> None:
    tokenizer, path = build_tokenizer(), tmp_path / "codes"
    if was_whole:
        CodeStore.build(path, tokenizer, batches_of(), dataset="nih:one")
    else:
        with pytest.raises(KeyboardInterrupt):
            CodeStore.build(path, tokenizer, batches_of(fail_at=6), dataset="nih:one")
    with pytest.raises(UserError, match=r"of nih:one.*of nih:two"):
        CodeStore.build(path, tokenizer, batches_of(), dataset="nih:two")
    with pytest.raises(UserError, match=r"1 augmentations.*3 augmentations"):
        CodeStore.build(path, tokenizer, batches_of(), augmentations=3, dataset="nih:one")


@pytest.mark.parametrize("full_after", [0, 1, 3])  # appends: codes and log in turn
def test_a_full_disk_is_said_and_the_build_resumes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_after: int
) -> None:
    tokenizer, path = build_tokenizer(), tmp_path / "codes"
    whole = CodeStore.build(tmp_path / "whole", tokenizer, batches_of())
    append, appends = code_store._append, []

    def fill_up(file: Path, content: bytes) -> None:
        if len(appends) >= full_after:
            append(file, content[: len(content) // 2])  # what still fitted
            raise OSError(errno.ENOSPC, "No space left on device")
        appends.append(file)
        append(file, content)

    with monkeypatch.context() as patch:
        patch.setattr(code_store, "_append", fill_up)
        with pytest.raises(UserError, match=r"No space left on device.*the same command resumes"):
            CodeStore.build(path, tokenizer, batches_of())
    assert not path.exists()
    store = CodeStore.build(path, tokenizer, batches_of())
    assert store.image_ids == whole.image_ids
    assert (store.read(range(10)) == whole.read(range(10))).all()


def test_a_disk_that_fills_up_at_the_end_leaves_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", fail)
        with pytest.raises(UserError, match="No space left on device"):
            CodeStore.build(tmp_path / "codes", build_tokenizer(), batches_of())
    assert [path.name for path in tmp_path.iterdir()] == ["codes.partial"]

    def nothing_left(start: int) -> Iterator:
        assert start == 10
        return iter(())

    assert len(CodeStore.build(tmp_path / "codes", build_tokenizer(), nothing_left)) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["codes"]
