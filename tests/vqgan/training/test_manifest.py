"""A folder is compared with the list of its files."""

from pathlib import Path

import pytest

from vqgan.training.manifest import find_damage, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.bin").write_bytes(b"abcd")
    (tmp_path / "inner" / "b.bin").write_bytes(b"12345")
    write_manifest(tmp_path)
    return tmp_path


def test_a_whole_folder_has_no_damage_also_with_more_files_or_without_a_list(folder: Path) -> None:
    (folder / "more").touch()
    assert find_damage(folder) == ""
    (folder / "files.json").unlink()
    (folder / "a.bin").unlink()
    assert find_damage(folder) == ""


@pytest.mark.parametrize(
    ("name", "content", "damage"),
    [
        ("a.bin", b"abc", "3 of 4 bytes of a.bin"),
        ("a.bin", b"", "0 of 4 bytes of a.bin"),
        ("inner/b.bin", b"12346", "another checksum of inner/b.bin"),
        ("inner/b.bin", None, "no inner/b.bin"),
        ("files.json", b"", "files.json, which is no list of files"),
        ("files.json", b"[1]", "files.json, which is no list of files"),
        ("files.json", b'{"a.bin": 3}', "files.json, which is no list of files"),
        ("files.json", b"\xff\xfe", "files.json, which is no list of files"),
    ],
)
def test_the_first_file_that_differs_is_named(
    folder: Path, name: str, content: bytes | None, damage: str
) -> None:
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    assert find_damage(folder) == damage
