import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from llmcxr.codes import image_cache
from llmcxr.codes.image_cache import cached_images, read_rejected
from llmcxr.common.errors import UserError
from llmcxr.data import Dataset, open_dataset
from llmcxr.images import write_png
from llmcxr.records import Study
from tests.vqgan.test_processes import ends


class Counted(Dataset):
    """A dataset of n flat images, image i of grey i / 255, that counts its reads."""

    def __init__(self, n, offset=0):
        self.name, self.n, self.offset, self.reads = "counted:", n, offset, []

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return Study(f"s{index}", f"p{index}", ())

    def read(self, index, size):
        self.reads.append(index)
        return np.full((size, size), (index + self.offset) / 255, np.float32)

    def salience(self, index, size):
        return np.full((size, size), 1.0, np.float32)


def test_pixels_are_kept_and_read_once(tmp_path):
    dataset = Counted(150)
    images = cached_images(dataset, 4, tmp_path, processes=1)
    assert images.shape == (150, 1, 4, 4)
    assert images.dtype == np.uint8
    assert (images[:, 0, 0, 0] == np.arange(150)).all()
    dataset.reads.clear()
    again = cached_images(dataset, 4, tmp_path, processes=1)
    assert len(dataset.reads) == image_cache.PROBE_IMAGES
    assert (again == images).all()


def test_salience_is_the_second_channel(tmp_path):
    dataset = Counted(3)
    images = cached_images(dataset, 4, tmp_path, with_salience=True, processes=1)
    assert images.shape == (3, 2, 4, 4)
    assert (images[:, 1] == 255).all()


def test_other_pixels_give_another_file(tmp_path):
    cached_images(Counted(5), 4, tmp_path, processes=1)
    assert cached_images(Counted(5, offset=7), 4, tmp_path, processes=1)[0, 0, 0, 0] == 7


def test_an_interrupted_build_resumes_where_it_stopped(tmp_path):
    dataset = Counted(200)
    whole = dataset.read

    def broken(index, size):
        if index == 130 and len(dataset.reads) > image_cache.PROBE_IMAGES:
            raise KeyboardInterrupt
        return whole(index, size)

    dataset.read = broken
    with pytest.raises(KeyboardInterrupt):
        cached_images(dataset, 4, tmp_path, processes=1)
    dataset.read = whole
    dataset.reads.clear()
    images = cached_images(dataset, 4, tmp_path, processes=1)
    assert (images[:, 0, 0, 0] == np.arange(200)).all()
    assert len(dataset.reads) == image_cache.PROBE_IMAGES + 200 - 2 * image_cache.CHUNK_IMAGES


def test_a_full_disk_is_told_before_anything_is_read(tmp_path, monkeypatch):
    """Found out while writing through a memory map, it would end the process with a bus error."""
    dataset = Counted(100)

    def disk_is_full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", disk_is_full)
    with pytest.raises(UserError, match=r"expected room for 0 MB .* No space left on device"):
        cached_images(dataset, 4, tmp_path, processes=1)
    assert len(dataset.reads) == image_cache.PROBE_IMAGES
    assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob("*.npy"))
    monkeypatch.undo()
    assert len(cached_images(dataset, 4, tmp_path, processes=1)) == 100


def test_the_room_is_taken_at_the_start(tmp_path):
    whole = (dataset := Counted(200)).read

    def broken(index, size):
        if len(dataset.reads) > image_cache.PROBE_IMAGES:
            raise KeyboardInterrupt
        return whole(index, size)

    dataset.read = broken
    with pytest.raises(KeyboardInterrupt):
        cached_images(dataset, 64, tmp_path, processes=1)
    (partial,) = tmp_path.glob("*.partial")
    assert partial.stat().st_blocks * 512 >= 200 * 64 * 64


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_images_that_cannot_be_read_are_black_and_listed(tmp_path, is_interrupted):
    dataset = Counted(150)
    whole = dataset.read
    is_over = not is_interrupted

    def broken(index, size):
        if index in (0, 70):  # the first is among those that are probed
            raise UserError(f"radiograph {index}: cut short")
        if index == 140 and not is_over:
            raise KeyboardInterrupt
        return whole(index, size)

    dataset.read = broken
    if is_interrupted:
        with pytest.raises(KeyboardInterrupt):
            cached_images(dataset, 4, tmp_path, processes=1)
        is_over = True
    images = cached_images(dataset, 4, tmp_path, processes=1)
    assert read_rejected(images) == {0: "radiograph 0: cut short", 70: "radiograph 70: cut short"}
    assert (images[[0, 70]] == 0).all() and (images[[1, 149], 0, 0, 0] == [1, 149]).all()


def test_where_all_can_be_read_none_is_listed(tmp_path):
    assert read_rejected(cached_images(Counted(3), 4, tmp_path, processes=1)) == {}
    assert not list(tmp_path.glob("*.jsonl"))


def test_a_row_or_a_file_that_changes_is_noticed_wherever_it_is(tmp_path):
    names = [f"{number}.png" for number in range(40)]
    ramp = np.linspace(0, 1, 256).reshape(16, 16)

    def write(name, grey):
        write_png(tmp_path / name, np.vstack([np.full((1, 16), grey / 255), ramp[1:]]))

    for number, name in enumerate([*names, "other.png"]):
        write(name, number)

    def read(shown):
        (tmp_path / "t.csv").write_text("image,text\n" + "".join(f"{name},Clear.\n" for name in shown))
        return cached_images(open_dataset(f"csv:{tmp_path / 't.csv'}"), 16, tmp_path, processes=1)[:, 0, 0, 0]

    assert read(names).tolist() == list(range(40))
    shown = [*names[:1], "other.png", *names[2:]]  # the second image is none of those that are probed
    assert read(shown).tolist() == [0, 40, *range(2, 40)]
    write("5.png", 77)
    assert read(shown)[5] == 77
    assert not list(tmp_path.glob("*.lock"))


@pytest.mark.parametrize("left", [0, 50, 200])
def test_a_damaged_file_is_made_again(tmp_path, left):
    images = cached_images(Counted(3), 16, tmp_path, processes=1)
    content = Path(images.filename).read_bytes()
    Path(images.filename).write_bytes(content[:left])
    assert (cached_images(Counted(3), 16, tmp_path, processes=1)[:, 0, 0, 0] == [0, 1, 2]).all()
    assert Path(images.filename).read_bytes() == content


KILLED = """
import os, sys, time
from llmcxr.codes.image_cache import cached_images
from tests.llmcxr.codes.test_image_cache import Counted

class Slow(Counted):
    def read(self, index, size):
        if os.getppid() == int(os.environ.get("PARENT", 0)):
            open(f"{sys.argv[1]}/worker-{os.getpid()}", "w").close()
            time.sleep(1)
        return super().read(index, size)

if __name__ == "__main__":
    os.environ["PARENT"] = str(os.getpid())
    cached_images(Slow(200), 4, sys.argv[1], processes=2)
"""


def test_the_workers_of_a_killed_process_end_with_it(tmp_path, repository):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    command = [sys.executable, str(script), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(repository)}
    with subprocess.Popen(command, env=environment, cwd=tmp_path) as process:
        while len(workers := list(tmp_path.glob("worker-*"))) < 2 and process.poll() is None:
            time.sleep(0.1)
        process.kill()
    assert len(workers) == 2 and all(ends(int(file.name.partition("-")[2])) for file in workers)
