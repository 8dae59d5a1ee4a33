"""Images of files -> codes by image id: bad files left out, the first augmentation the image itself, and the
same store whatever interrupted its making and however many processes made it.
"""

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pydicom
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from llmcxr import images
from llmcxr.cli.app import app
from llmcxr.codes import encode as encoding
from llmcxr.codes.encode import EncodingConfig, encode_dataset
from llmcxr.codes.store import CodeStore, Ranks
from llmcxr.common.config import load
from llmcxr.common.errors import UserError
from llmcxr.data import Dataset, open_dataset
from llmcxr.images import dicom
from llmcxr.records import Radiograph, Study
from llmcxr.training.lm_config import LMRun
from vqgan import VQGAN, VQGANConfig
from vqgan.layers import CXRConfig
from vqgan.quantizers.fsq import FSQConfig


@pytest.fixture
def tokenizer():
    torch.manual_seed(0)
    config = VQGANConfig(
        image_size=32,
        cell_height=8,
        cell_width=16,
        cxr=CXRConfig(stem_channels=8, grid_channels=8),
        fsq=FSQConfig((4, 3)),
    )
    return VQGAN(config).eval()


def write_table(folder, names):
    rows = "".join(f"{name},Clear lungs.\n" for name in names)
    (folder / "radiographs.csv").write_text("image,text\n" + rows)
    return open_dataset(f"csv:{folder / 'radiographs.csv'}")


@pytest.fixture
def folder(tmp_path):
    """Four radiographs, of which the third is no picture."""
    rng = np.random.default_rng(0)
    for i in range(4):
        images.write_png(tmp_path / f"radiograph{i}.png", rng.random((40, 50)))
    (tmp_path / "radiograph2.png").write_bytes(b"not a picture")
    return write_table(tmp_path, [f"radiograph{i}.png" for i in range(4)])


@pytest.fixture
def long_folder(tmp_path):
    rng = np.random.default_rng(1)
    for i in range(90):
        images.write_png(tmp_path / f"radiograph{i:02}.png", rng.random((32, 32)))
    (tmp_path / "radiograph40.png").write_bytes(b"not a picture")
    return write_table(tmp_path, [f"radiograph{i:02}.png" for i in range(90)])


def is_same(store, other):
    rows = range(len(other))
    same_codes = store.read(rows).tolist() == other.read(rows).tolist()
    return store.image_ids == other.image_ids and same_codes and store.rejected == other.rejected


def test_a_folder_of_radiographs_becomes_codes(folder, tokenizer, tmp_path):
    store = encode_dataset(folder, tokenizer, tmp_path / "codes", tmp_path, EncodingConfig(augmentations=3))
    assert len(store) == 3 and store.metadata.augmentations == 3
    lines = (tmp_path / "codes" / "rejected.jsonl").read_text().splitlines()
    assert len(lines) == 1 and "radiograph2.png" in json.loads(lines[0])["reason"]
    pixels = images.fit(images.read(tmp_path / "radiograph0.png"), 32)[0]
    codes = tokenizer.encode(torch.from_numpy(pixels)[None, None])[0].numpy()
    assert (store[store.image_ids[0]][0] == codes).all()
    again = encode_dataset(folder, tokenizer, tmp_path / "codes2", tmp_path, EncodingConfig(augmentations=3))
    assert is_same(again, store)


def test_codes_take_an_empty_folder_and_no_other(folder, tokenizer, tmp_path):
    (tmp_path / "empty").mkdir()
    assert len(encode_dataset(folder, tokenizer, tmp_path / "empty", tmp_path)) == 3
    for other in (tmp_path, tmp_path / "radiograph0.png"):
        with pytest.raises(UserError, match="expected codes of an earlier run, or no such name yet"):
            encode_dataset(folder, tokenizer, other, tmp_path)


def test_one_coding_is_of_the_image_as_it_is(folder, tokenizer, tmp_path):
    store = encode_dataset(folder, tokenizer, tmp_path / "codes", tmp_path)
    assert len(store) == 3 and store.metadata.augmentations == 1


def test_phantoms_have_augmentations_too(tokenizer, tmp_path):
    store = encode_dataset(
        open_dataset("phantom:n=3,seed=4"), tokenizer, tmp_path / "codes", tmp_path, EncodingConfig(2)
    )
    assert store.image_ids == [f"phantom-4-{i}" for i in range(3)]
    codes = store.read(range(3))
    assert codes.shape == (3, 2, 4, 2) and (codes[:, 0] != codes[:, 1]).any()


def test_an_interrupted_encoding_reads_only_what_is_missing(long_folder, tokenizer, tmp_path, monkeypatch):
    whole = encode_dataset(long_folder, tokenizer, tmp_path / "whole", tmp_path, EncodingConfig(2))
    read_file, read = encoding._read_file, []

    def stop_at(dataset, index, size):
        read.append(index)
        if index == 70 and len(read) < 90:
            raise KeyboardInterrupt
        return read_file(dataset, index, size)

    monkeypatch.setattr(encoding, "_read_file", stop_at)
    with pytest.raises(KeyboardInterrupt):
        encode_dataset(long_folder, tokenizer, tmp_path / "cut", tmp_path, EncodingConfig(2), workers=1)
    assert not (tmp_path / "cut").exists()
    monkeypatch.setattr(encoding, "_read_file", lambda *given: read.append(given[1]) or read_file(*given))
    read.clear()
    store = encode_dataset(long_folder, tokenizer, tmp_path / "cut", tmp_path, EncodingConfig(2))
    assert sorted(read) == list(range(64, 90))  # two batches of 32 were done
    assert is_same(store, whole)


KILLED = """
import os, signal, sys
from llmcxr.codes import encode as encoding
from llmcxr.data import open_dataset
from vqgan import VQGAN
batches = encoding._batches
def killed(*given):
    for number, batch in enumerate(batches(*given)):
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        yield batch
encoding._batches = killed
dataset = open_dataset(sys.argv[1])
encoding.encode_dataset(dataset, VQGAN.from_pretrained(sys.argv[2]), sys.argv[3], sys.argv[3])
"""


def test_a_killed_encoding_resumes(long_folder, tokenizer, tmp_path, repository):
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    given = [long_folder.name, str(tmp_path / "tokenizer"), str(tmp_path / "codes")]
    done = subprocess.run([sys.executable, "-c", KILLED, *given], cwd=repository, capture_output=True)
    assert done.returncode == -9, done.stderr.decode()
    assert not (tmp_path / "codes").exists() and (tmp_path / "codes.partial").exists()
    store = encode_dataset(long_folder, tokenizer, tmp_path / "codes", tmp_path)
    assert is_same(store, encode_dataset(long_folder, tokenizer, tmp_path / "whole", tmp_path))
    assert not (tmp_path / "codes.partial").exists()


def test_two_processes_make_the_store_of_one(long_folder, tokenizer, tmp_path):
    whole = encode_dataset(long_folder, tokenizer, tmp_path / "whole", tmp_path, EncodingConfig(2))
    barrier = threading.Barrier(2)
    threads = [
        threading.Thread(
            target=encode_dataset,
            args=(long_folder, tokenizer, tmp_path / "codes", tmp_path, EncodingConfig(2)),
            kwargs={"ranks": Ranks(index, 2, barrier.wait)},
        )
        for index in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert is_same(CodeStore.open(tmp_path / "codes"), whole)


@pytest.mark.slow
def test_processes_that_are_started_together_share_the_work(long_folder, tokenizer, tmp_path, repository):
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    # what accelerate starts several processes with; its own --cpu --num_processes 2 starts one
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    encode = [
        "-m",
        "llmcxr",
        "encode",
        long_folder.name,
        str(tmp_path / "tokenizer"),
        str(tmp_path / "codes"),
    ]
    done = subprocess.run(
        [*launch, *encode, "--device", "cpu"],
        cwd=repository,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    whole = encode_dataset(long_folder, tokenizer, tmp_path / "whole", tmp_path)
    assert is_same(CodeStore.open(tmp_path / "codes"), whole), done.stderr


def test_another_tokenizer_is_an_error_that_names_both(folder, tokenizer, tmp_path):
    encode_dataset(folder, tokenizer, tmp_path / "codes", tmp_path)
    other = VQGAN(tokenizer.config).eval()
    with pytest.raises(UserError) as caught:
        encode_dataset(folder, other, tmp_path / "codes", tmp_path)
    assert tokenizer.fingerprint[:12] in str(caught.value) and other.fingerprint[:12] in str(caught.value)


def test_where_no_radiograph_can_be_read_the_reason_is_said_and_nothing_is_left(folder, tokenizer, tmp_path):
    folder = write_table(tmp_path, ["radiograph2.png"])
    with pytest.raises(UserError, match=r"none that can be read among 1; .*radiograph2\.png"):
        encode_dataset(folder, tokenizer, tmp_path / "codes", tmp_path)
    assert not list(tmp_path.glob("codes*"))


# -- odd files: each gets the codes of the picture that it holds ---------------------------------------------

RAMP = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
RAMP[20:40, 20:30] = 0.9


def to_levels(most, dtype):
    return np.rint(RAMP * most).astype(dtype)


def write_rgba(path):
    grey = to_levels(255, np.uint8)
    Image.fromarray(np.dstack([grey, grey, grey, np.full_like(grey, 255)]), "RGBA").save(path)


ODD_FILES = {
    "12-bit": lambda path: Image.fromarray(to_levels(4095, np.uint16)).save(path),
    "16-bit": lambda path: Image.fromarray(to_levels(65535, np.uint16)).save(path),
    "RGB": lambda path: Image.fromarray(to_levels(255, np.uint8)).convert("RGB").save(path),
    "RGBA": write_rgba,
    "50 px": lambda path: Image.fromarray(to_levels(255, np.uint8)).resize((50, 50)).save(path),
    "8000 px": lambda path: Image.fromarray(to_levels(255, np.uint8)).resize((8000, 8000), 0).save(path),
}


class Pixels:
    """A tokenizer whose codes are the fitted picture's grey levels, 4 x 4 pixels a cell."""

    config = type("Config", (), {"image_size": 32, "grid": (8, 8), "codebook_size": 256})
    fingerprint = "levels"

    def parameters(self):
        return iter([torch.zeros(1)])

    def encode(self, pixels):
        return (torch.nn.functional.avg_pool2d(pixels, 4)[:, 0] * 255).round().long()


@pytest.mark.parametrize("kind", ODD_FILES)
def test_odd_files_give_the_codes_of_their_picture(kind, tmp_path):
    ODD_FILES[kind](tmp_path / "odd.png")
    store = encode_dataset(write_table(tmp_path, ["odd.png"]), Pixels(), tmp_path / "codes", tmp_path)
    expected = Pixels().encode(torch.from_numpy(images.fit(RAMP, 32)[0])[None, None])[0].numpy()
    assert np.abs(store.read([0])[0, 0] - expected).max() <= (6 if kind == "50 px" else 1)


def test_bright_is_dense_whatever_the_photometric_interpretation(tmp_path):
    for name, pixels in (("MONOCHROME1", 1 - RAMP), ("MONOCHROME2", RAMP)):
        file = tmp_path / "radiographs" / f"{name}.dcm"
        file.parent.mkdir(exist_ok=True)
        dicom.write_synthetic(file, pixels, {"seed": 0})
        header = pydicom.dcmread(file)
        header.PhotometricInterpretation = name
        header.StudyInstanceUID = f"1.2.{len(name)}{name[-1]}"
        header.save_as(file)
    header.StudyInstanceUID = "1.2.3"
    header.save_as(tmp_path / "radiographs" / "cut.dcm")
    (tmp_path / "radiographs" / "cut.dcm").write_bytes(
        (tmp_path / "radiographs" / "cut.dcm").read_bytes()[:2000]
    )
    radiographs = open_dataset(f"dicom:{tmp_path / 'radiographs'}")
    store = encode_dataset(radiographs, Pixels(), tmp_path / "codes", tmp_path)
    first, second = store.read([0, 1])[:, 0]
    assert np.abs(first - second).max() <= 1
    assert (first[0, 1:] > first[0, :-1]).all()  # the ramp rises to the right
    assert len(store.rejected) == 1 and "cut.dcm" in store.rejected[0].reason


def test_an_all_black_radiograph_is_coded_and_a_truncated_one_left_out(folder, tmp_path):
    images.write_png(tmp_path / "black.png", np.zeros((40, 40)))
    (tmp_path / "cut.png").write_bytes((tmp_path / "radiograph0.png").read_bytes()[:900])
    table = write_table(tmp_path, ["black.png", "cut.png"])
    store = encode_dataset(table, Pixels(), tmp_path / "codes", tmp_path)
    assert store.image_ids == ["black.png"] and not store.read([0]).any()
    assert "cut.png" in store.rejected[0].reason and "cut short or damaged" in store.rejected[0].reason


def test_studies_without_a_frontal_radiograph_are_left_out_and_listed(folder, tokenizer, tmp_path):
    (tmp_path / "mixed.csv").write_text(
        "image,text,view_position\nradiograph0.png,Clear.,PA\nradiograph1.png,Clear.,lateral\n,Clear.,\n"
    )
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    given = [f"csv:{tmp_path / 'mixed.csv'}", str(tmp_path / "tokenizer"), str(tmp_path / "codes")]
    result = CliRunner().invoke(app, ["encode", *given, "--cache-dir", str(tmp_path)])
    assert result.exit_code == 1, result.output
    store = CodeStore.open(tmp_path / "codes")
    assert store.image_ids == ["radiograph0.png"]
    assert [rejected.name for rejected in store.rejected] == ["study 1", "study 2"]
    assert "frontal radiograph, found only lateral" in store.rejected[0].reason
    assert "frontal radiograph, found none" in store.rejected[1].reason


class Mixed(Dataset):
    """Study 1 of three has no radiograph; it has pixels all the same where `has_pixels`."""

    name = "mixed"

    def __init__(self, is_synthetic, has_pixels):
        self.is_synthetic, self.has_pixels = is_synthetic, has_pixels

    def __len__(self):
        return 3

    def __getitem__(self, index):
        radiograph = Radiograph(f"image {index}", str(index), str(index))
        return Study(str(index), str(index), () if index == 1 else (radiograph,))

    def read(self, index, size=None):
        if index == 1 and not self.has_pixels:
            raise UserError("expected a frontal radiograph, found none")
        return np.full((size, size), index / 3, np.float32)


@pytest.mark.parametrize("is_synthetic", [True, False])
@pytest.mark.parametrize("has_pixels", [True, False])
def test_a_study_that_a_plugged_in_source_knows_no_radiograph_of_is_left_out(
    is_synthetic, has_pixels, tokenizer, tmp_path
):
    store = encode_dataset(Mixed(is_synthetic, has_pixels), tokenizer, tmp_path / "codes", tmp_path)
    assert store.image_ids == ["image 0", "image 2"]
    assert [rejected.name for rejected in store.rejected] == ["study 1"]
    assert "expected a frontal radiograph, found none" in store.rejected[0].reason


def test_repeated_image_ids_are_said_before_anything_is_encoded(folder, tokenizer, tmp_path):
    (tmp_path / "twice.csv").write_text(
        "image,text,patient_id\nradiograph0.png,Clear.,a\nradiograph1.png,Clear.,a\nradiograph0.png,Clear.,b\n"
    )
    with pytest.raises(UserError, match="found 1 repeated among 3; leave each image in the dataset once"):
        encode_dataset(open_dataset(f"csv:{tmp_path / 'twice.csv'}"), tokenizer, tmp_path / "codes", tmp_path)
    assert not (tmp_path / "codes").exists() and not (tmp_path / "codes.partial").exists()


def test_codes_made_under_the_old_name_of_a_kind_are_found(folder, tokenizer, tmp_path):
    as_before = open_dataset(folder.name.replace("csv:", "folder:"))
    store = encode_dataset(as_before, tokenizer, tmp_path / "codes", tmp_path)
    assert store.metadata.dataset.startswith("folder:")
    assert is_same(encode_dataset(folder, tokenizer, tmp_path / "codes", tmp_path), store)


def test_an_encoding_begun_under_the_old_name_of_a_kind_goes_on(
    long_folder, tokenizer, tmp_path, monkeypatch
):
    read_file = encoding._read_file

    def stop_at(dataset, index, size):
        if index == 70:
            raise KeyboardInterrupt
        return read_file(dataset, index, size)

    monkeypatch.setattr(encoding, "_read_file", stop_at)
    with pytest.raises(KeyboardInterrupt):
        as_before = open_dataset(long_folder.name.replace("csv:", "folder:"))
        encode_dataset(as_before, tokenizer, tmp_path / "codes", tmp_path, workers=1)
    monkeypatch.setattr(encoding, "_read_file", read_file)
    store = encode_dataset(long_folder, tokenizer, tmp_path / "codes", tmp_path)
    assert is_same(store, encode_dataset(long_folder, tokenizer, tmp_path / "whole", tmp_path))


def test_the_former_name_of_augmentations_is_understood(tmp_path):
    (tmp_path / "run.yaml").write_text("kind: lm\nencoding: {codings: 3}\n")
    loaded = load(tmp_path / "run.yaml", ["encoding.codings=4"], kinds={"lm": LMRun})
    assert loaded.encoding.augmentations == 4


def test_radiographs_whose_pixels_are_no_numbers_are_left_out_by_name(folder, tokenizer, tmp_path):
    values = np.linspace(0, 1, 40 * 50, dtype=np.float32).reshape(40, 50)
    Image.fromarray(np.where(values > 0.5, np.nan, values)).save(tmp_path / "nan.tif")
    Image.fromarray((2 * values - 1) * np.float32(3e38)).save(tmp_path / "huge.tif")
    names = ["radiograph0.png", "nan.tif", "huge.tif", "radiograph1.png"]
    store = encode_dataset(write_table(tmp_path, names), tokenizer, tmp_path / "codes", tmp_path)
    assert store.image_ids == ["radiograph0.png", "radiograph1.png"]
    assert ["nan.tif: expected finite pixels" in one.reason for one in store.rejected] == [True, False]
    assert ["huge.tif: expected " in one.reason for one in store.rejected] == [False, True]


class Nonsense(Pixels):
    """A tokenizer of damaged weights: what is not finite became the least integer there is."""

    def encode(self, pixels):
        return torch.full((len(pixels), 8, 8), torch.iinfo(torch.int64).min)


def test_codes_of_nonsense_are_never_stored(folder, tmp_path):
    with pytest.raises(UserError, match=r"expected codes in 0\.\.255 of the image tokenizer"):
        encode_dataset(folder, Nonsense(), tmp_path / "codes", tmp_path)
    assert not (tmp_path / "codes").exists()


# -- tables and files that change between two calls ----------------------------------------------------------


def add_images(folder, names, seed=5):
    rng = np.random.default_rng(seed)
    for name in names:
        images.write_png(folder / name, rng.random((32, 32)))


NAMES = [f"{number}.png" for number in range(6)]


@pytest.mark.parametrize(
    ("then", "told", "read"),
    [
        (NAMES, None, []),
        (NAMES[::-1], None, []),
        (NAMES[:4], "0 images are new or could not be read, 0 changed, 2 are gone", []),
        ([*NAMES, "6.png", "7.png"], "2 images are new", [6, 7]),
        (["6.png", *NAMES], "1 images are new", [0]),
        (["0.png", "7.png", *NAMES[2:]], "1 images are new or could not be read, 0 changed, 1 are gone", [1]),
    ],
)
def test_rows_that_change_are_told_and_only_new_images_are_read(
    then, told, read, tokenizer, tmp_path, monkeypatch, caplog
):
    add_images(tmp_path, [*NAMES, "6.png", "7.png"])
    before = encode_dataset(write_table(tmp_path, NAMES), tokenizer, tmp_path / "codes", tmp_path)
    (tmp_path / "codes" / "note.txt").write_text("of a user")
    read_file, seen = encoding._read_file, []
    monkeypatch.setattr(encoding, "_read_file", lambda *given: seen.append(given[1]) or read_file(*given))
    caplog.clear()
    table = write_table(tmp_path, then)
    store = encode_dataset(table, tokenizer, tmp_path / "codes", tmp_path)
    assert sorted(seen) == read
    assert (told or "") in caplog.text and ("changed since these codes" in caplog.text) == bool(told)
    if told:
        assert is_same(store, encode_dataset(table, tokenizer, tmp_path / "new", tmp_path))
    assert before[NAMES[0]].tolist() == store[NAMES[0]].tolist()
    assert (tmp_path / "codes" / "note.txt").read_text() == "of a user"
    left = [path.name for path in tmp_path.iterdir() if path.name.startswith((".codes", "codes"))]
    assert left == ["codes"]


def test_a_file_that_was_replaced_or_repaired_is_encoded_again(folder, tokenizer, tmp_path, caplog):
    encode_dataset(folder, tokenizer, tmp_path / "codes", tmp_path)
    add_images(tmp_path, ["radiograph0.png", "radiograph2.png"])
    store = encode_dataset(folder, tokenizer, tmp_path / "codes", tmp_path)
    assert "1 images are new or could not be read, 1 changed, 0 are gone" in caplog.text
    assert is_same(store, encode_dataset(folder, tokenizer, tmp_path / "new", tmp_path))
    assert len(store) == 4 and store.rejected == []


def test_a_copy_of_the_files_with_other_times_is_the_same_and_noted_once(
    folder, tokenizer, tmp_path, caplog, monkeypatch
):
    folder = write_table(tmp_path, [f"radiograph{number}.png" for number in (0, 1, 3)])
    encode_dataset(folder, tokenizer, tmp_path / "codes", tmp_path)
    for number in range(4):
        os.utime(tmp_path / f"radiograph{number}.png", ns=(5, 7 + number))
    caplog.clear()
    monkeypatch.setattr(encoding, "_read_file", None)  # nothing is encoded
    assert len(encode_dataset(folder, tokenizer, tmp_path / "codes", tmp_path)) == 3
    monkeypatch.setattr(encoding, "find_checksum", None)  # nor read again
    assert len(encode_dataset(folder, tokenizer, tmp_path / "codes", tmp_path)) == 3
    assert caplog.text == ""


def test_another_file_of_the_same_size_is_encoded_again(tokenizer, tmp_path, caplog):
    for name, rows in (("a.bmp", 1), ("b.bmp", -1)):
        Image.fromarray(np.tile(np.arange(0, 240, 6, np.uint8), (40, 1))[:, ::rows]).save(tmp_path / name)
    table = write_table(tmp_path, ["a.bmp", "b.bmp"])
    before = encode_dataset(table, tokenizer, tmp_path / "codes", tmp_path).read(range(2))
    assert (tmp_path / "a.bmp").stat().st_size == (tmp_path / "b.bmp").stat().st_size
    (tmp_path / "a.bmp").write_bytes((tmp_path / "b.bmp").read_bytes())
    store = encode_dataset(table, tokenizer, tmp_path / "codes", tmp_path)
    assert "0 images are new or could not be read, 1 changed" in caplog.text
    assert store["a.bmp"].tolist() == store["b.bmp"].tolist() == before[1].tolist() != before[0].tolist()


def test_a_store_of_before_files_were_kept_is_compared_by_its_ids(folder, tokenizer, tmp_path, caplog):
    encode_dataset(folder, tokenizer, tmp_path / "codes", tmp_path)
    (tmp_path / "codes" / "files.npy").unlink()
    metadata = json.loads((tmp_path / "codes" / "metadata.json").read_text())
    del metadata["sources"]
    (tmp_path / "codes" / "metadata.json").write_text(json.dumps(metadata))
    caplog.clear()
    assert len(encode_dataset(folder, tokenizer, tmp_path / "codes", tmp_path)) == 3
    assert caplog.text == ""
    fewer = write_table(tmp_path, ["radiograph0.png"])
    assert encode_dataset(fewer, tokenizer, tmp_path / "codes", tmp_path).image_ids == ["radiograph0.png"]
    assert "2 are gone" in caplog.text


@pytest.fixture
def interrupted(long_folder, tokenizer, tmp_path, monkeypatch):
    """The folder, of which an encoding into codes was interrupted after 64, and what is read from then on."""
    read_file, seen = encoding._read_file, []

    def stop_at(dataset, index, size):
        if index == 70:
            raise KeyboardInterrupt
        return read_file(dataset, index, size)

    monkeypatch.setattr(encoding, "_read_file", stop_at)
    with pytest.raises(KeyboardInterrupt):
        encode_dataset(long_folder, tokenizer, tmp_path / "codes", tmp_path, workers=1)
    monkeypatch.setattr(encoding, "_read_file", lambda *given: seen.append(given[1]) or read_file(*given))
    return long_folder, seen


def test_a_table_that_changes_while_an_encoding_is_interrupted_loses_no_codes(
    interrupted, tokenizer, tmp_path
):
    _, seen = interrupted
    add_images(tmp_path, ["first.png"])
    table = write_table(tmp_path, ["first.png", *(f"radiograph{i:02}.png" for i in range(5, 90))])
    store = encode_dataset(table, tokenizer, tmp_path / "codes", tmp_path)
    assert sorted(seen) == [0, 36, *range(60, 86)]  # the new one, the bad one, and what had not been reached
    assert is_same(store, encode_dataset(table, tokenizer, tmp_path / "new", tmp_path))


@pytest.mark.parametrize("spoilt", ["items.jsonl", "codes.bin", "garbage"])
def test_a_damaged_interrupted_encoding_is_named(interrupted, tokenizer, tmp_path, spoilt):
    part = tmp_path / "codes.partial" / "00000-of-00001"
    if spoilt == "garbage":
        (part / "items.jsonl").write_text("{}\n")
    else:
        (part / spoilt).unlink()
    with pytest.raises(UserError, match=r"interrupted build.*remove .*codes\.partial"):
        encode_dataset(interrupted[0], tokenizer, tmp_path / "codes", tmp_path)


def test_files_of_a_user_in_the_place_of_the_parts_are_kept(folder, tokenizer, tmp_path):
    (tmp_path / "codes.partial").mkdir()
    (tmp_path / "codes.partial" / "notes.txt").touch()
    with pytest.raises(UserError, match=r"codes\.partial: expected no such folder, or the parts"):
        encode_dataset(folder, tokenizer, tmp_path / "codes", tmp_path)
    assert (tmp_path / "codes.partial" / "notes.txt").exists()


SLOW = """
import sys, time
from llmcxr.codes import encode as encoding
from llmcxr.cli.app import main
read_file = encoding._read_file
encoding._read_file = lambda *given: time.sleep(0.02) or read_file(*given)
main(["encode", *sys.argv[1:], "--workers", "1"])
"""


def test_a_second_process_waits_for_the_store_of_the_first(long_folder, tokenizer, tmp_path, repository):
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    given = [long_folder.name, str(tmp_path / "tokenizer"), str(tmp_path / "codes")]
    command = [sys.executable, "-c", SLOW, *given, "--cache-dir", str(tmp_path)]
    both = [
        subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [1, 1], said  # one image cannot be read
    assert sum("another process is at work here; waiting" in errors for _, errors in said) == 1, said
    whole = encode_dataset(long_folder, tokenizer, tmp_path / "whole", tmp_path)
    assert is_same(CodeStore.open(tmp_path / "codes"), whole)
    assert not list(tmp_path.glob("codes.*"))
