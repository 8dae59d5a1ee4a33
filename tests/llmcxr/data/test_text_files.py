"""Other people's text files: whole, damaged and too large."""

from __future__ import annotations

import gzip

import pytest

from llmcxr.common.errors import UserError
from llmcxr.data.text_files import LONGEST_LINE, read_lines

TEXT = "first\r\nsécond\nthird"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "packed.csv"])
def test_lines_keep_their_ends(tmp_path, encoding, name):
    content = TEXT.encode(encoding)
    (tmp_path / name).write_bytes(content if name == "a.csv" else gzip.compress(content))
    assert list(read_lines(tmp_path / name, "text")) == ["first\r\n", "sécond\n", "third"]


@pytest.mark.parametrize("cut", [1, 4, 9, 20, -8, -1])
def test_a_gzipped_file_that_is_cut_short(tmp_path, cut):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"word " * 999)[:cut])
    with pytest.raises(UserError, match="damaged"):
        list(read_lines(tmp_path / "a.gz", "text"))


@pytest.mark.parametrize("place", range(0, 60, 3))
def test_a_gzipped_file_with_damaged_bytes(tmp_path, place):
    packed = bytearray(gzip.compress(bytes(range(32, 120)) * 9, mtime=0))
    packed[place : place + 8] = bytes(byte ^ 255 for byte in packed[place : place + 8])
    (tmp_path / "a.gz").write_bytes(packed)
    try:
        read = "".join(read_lines(tmp_path / "a.gz", "text"))
    except UserError:
        return
    assert read.encode() == bytes(range(32, 120)) * 9  # the damage is in the file's date alone


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a\nb\xff\n", "in UTF-8, found bytes in line 2"),
        (b"a\n\0\n", "a NUL byte in line 2"),
        (b"a\n" + b"x" * (LONGEST_LINE + 1), "a longer one in line 2"),
        (b"\xff\xfea", "another kind of file"),
        (b"\xd0\xcf\x11\xe0", "an .xls file"),
    ],
)
def test_what_is_no_text_is_named(tmp_path, content, says):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(UserError, match=says):
        list(read_lines(tmp_path / "a", "text"))


def test_a_folder_and_nothing(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match="check the path"):
            list(read_lines(path, "text"))
    with pytest.raises(UserError, match="found no such file"):
        list(read_lines(tmp_path / "none", "text"))


def test_a_line_that_grows_large_is_refused_early(tmp_path):
    with gzip.open(tmp_path / "a.gz", "wb", compresslevel=1) as file:
        for _ in range(200):  # 200 MB in one line
            file.write(b"x" * 10**6)
    lines = read_lines(tmp_path / "a.gz", "text")
    with pytest.raises(UserError, match="longer one in line 1"):
        next(lines)
