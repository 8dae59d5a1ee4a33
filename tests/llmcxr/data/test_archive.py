"""Archives: whole, damaged, and small ones that grow large."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from llmcxr.common.errors import UserError
from llmcxr.data import archive
from llmcxr.data.archive import read_members


def _pack(path: Path, mode: str = "w:gz", **members: bytes) -> Path:
    with tarfile.open(path, mode) as packed:
        for name, content in members.items():
            info = tarfile.TarInfo(f"folder/{name}.xml")
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return path


def _read(path: Path, largest: int = 100) -> list:
    return list(read_members(path, ".xml", largest, "an archive"))


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_members_come_in_order_and_the_large_ones_without_content(tmp_path, mode):
    path = _pack(tmp_path / "a.tgz", mode, b=b"one", a=b"x" * 101, c=b"")
    assert _read(path) == [("b.xml", b"one"), ("a.xml", None), ("c.xml", b"")]


def test_damage_in_the_middle_is_not_taken_for_the_end(tmp_path):
    plain = bytearray(_pack(tmp_path / "a.tar", "w", a=b"one", b=b"two", c=b"three").read_bytes())
    plain[1024 + 20] ^= 255  # in the second member's header, whose checksum then fails
    (tmp_path / "a.tar").write_bytes(plain)
    with pytest.raises(UserError, match="damaged"):
        _read(tmp_path / "a.tar")
    (tmp_path / "a.tar").write_bytes(plain[:1024])  # after the first member
    with pytest.raises(UserError, match="damaged"):
        _read(tmp_path / "a.tar")


def test_the_checksum_of_the_whole_is_looked_at(tmp_path):
    packed = bytearray(_pack(tmp_path / "a.tgz", a=b"one").read_bytes())
    packed[-6] ^= 255
    (tmp_path / "a.tgz").write_bytes(packed)
    with pytest.raises(UserError, match="damaged"):
        _read(tmp_path / "a.tgz")


def test_an_archive_that_is_cut_or_damaged_anywhere_is_read_or_refused(tmp_path):
    whole = _pack(tmp_path / "a.tgz", a=bytes(range(90)), b=b"two").read_bytes()
    plain = gzip.decompress(whole)
    damaged = [whole[:cut] for cut in range(0, len(whole) - 9, 7)]
    damaged += [whole[:at] + bytes([whole[at] ^ 255]) * 3 + whole[at + 3 :] for at in range(10, 150, 7)]
    damaged += [gzip.compress(plain[:at] + b"\xff" * 3 + plain[at + 3 :]) for at in range(100, 300, 3)]
    refused = 0
    for content in damaged:
        (tmp_path / "b.tgz").write_bytes(content)
        try:
            _read(tmp_path / "b.tgz")
        except UserError as error:
            refused += 1
            assert "damaged" in str(error) or "found more" in str(error)
    assert refused > len(damaged) / 2


def _header(kind: bytes, size: int, name: str = "x") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("size", [2**33, -512])
def test_a_record_of_the_archive_that_says_it_is_huge_is_not_read(tmp_path, kind, size):
    (tmp_path / "a.tar").write_bytes(_header(kind, size) + bytes(2048))
    with pytest.raises(UserError, match="records of at most"):
        _read(tmp_path / "a.tar")


def test_records_about_records_end(tmp_path):
    name = _header(tarfile.GNUTYPE_LONGNAME, 2) + b"n\0" + bytes(510)
    (tmp_path / "a.tar").write_bytes(name * 5000 + bytes(1024))
    with pytest.raises(UserError, match="damaged"):
        _read(tmp_path / "a.tar")


def test_a_member_of_negative_size_is_damage(tmp_path):
    (tmp_path / "a.tar").write_bytes(_header(tarfile.REGTYPE, -512, "a.xml") * 3 + bytes(1024))
    with pytest.raises(UserError, match="damaged"):
        _read(tmp_path / "a.tar")


def test_an_archive_of_too_many_files_or_bytes_is_refused(tmp_path, monkeypatch):
    path = _pack(tmp_path / "a.tgz", **{f"m{index}": bytes(1000) for index in range(20)})
    monkeypatch.setattr(archive, "MOST_MEMBERS", 19)
    with pytest.raises(UserError, match="at most 19 files in it, found more"):
        _read(path)
    monkeypatch.setattr(archive, "MOST_MEMBERS", 20)
    assert len(_read(path)) == 20
    monkeypatch.setattr(archive, "MOST_UNPACKED", 5000)
    with pytest.raises(UserError, match="at most 5,000 bytes in it, found more"):
        _read(path)
