import errno
import os

import numpy as np
import pytest

from llmcxr.codes import image_cache
from llmcxr.codes.image_cache import cached_images, read_rejected
from llmcxr.common.errors import UserError
from llmcxr.data import Dataset
from llmcxr.records import Study


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
