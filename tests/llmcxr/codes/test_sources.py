"""Where images come from: ids and files, by which a change is recognised."""

import os
import zlib

import numpy as np

from llmcxr import images
from llmcxr.codes.sources import Source, digest, find_checksum, find_newest, list_sources
from llmcxr.data import open_dataset


def test_a_source_is_the_frontal_image_and_its_file(tmp_path):
    images.write_png(tmp_path / "a.png", np.zeros((32, 32)))
    os.utime(tmp_path / "a.png", ns=(5, 7))
    rows = "image,text,view_position\na.png,Clear.,PA\n,Clear.,\n"
    (tmp_path / "t.csv").write_text(rows)
    size = (tmp_path / "a.png").stat().st_size
    found = list_sources(open_dataset(f"csv:{tmp_path / 't.csv'}"))
    assert found == [Source("a.png", size, 7), Source("")]


def test_a_phantom_has_no_file():
    assert list_sources(open_dataset("phantom:n=2,seed=3")) == [Source("phantom-3-0"), Source("phantom-3-1")]


def test_the_checksum_is_that_of_the_file_and_the_future_is_not_the_newest(tmp_path):
    images.write_png(tmp_path / "a.png", np.zeros((32, 32)))
    (tmp_path / "t.csv").write_text("image,text\na.png,Clear.\n,Clear.\n")
    dataset = open_dataset(f"csv:{tmp_path / 't.csv'}")
    assert [find_checksum(dataset, index) for index in (0, 1)] == [
        zlib.crc32((tmp_path / "a.png").read_bytes()),
        0,
    ]
    assert find_newest([Source("a", 1, 5), Source("b"), Source("c", 1, 2**62)]) == 5


def test_the_digest_changes_with_ids_order_sizes_and_times():
    lists = [
        [],
        [Source("a", 1, 2)],
        [Source("a", 1, 3)],
        [Source("a", 2, 2)],
        [Source("b", 1, 2)],
        [Source("a", 1, 2), Source("b")],
        [Source("b"), Source("a", 1, 2)],
    ]
    assert len({digest(one) for one in lists}) == len(lists)
    assert digest([Source("a")]) == digest(iter([Source("a")]))
