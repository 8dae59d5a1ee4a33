"""Publishers' tables and the words in their cells."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from llmcxr.common.errors import UserError
from llmcxr.data.tables import find_files, parse_sex, parse_split, parse_view, parse_years, read_table


def test_cells_are_stripped_and_missing_ones_empty(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("\ufeffa, b,c\n1 ,é\n".encode())  # with the mark that spreadsheets write
    assert read_table(path, ("a", "b")) == [{"a": "1", "b": "é", "c": ""}]
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert read_table(tmp_path / "a.csv.gz", ()) == read_table(path, ())


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a,c\n1,2\n", "column b, found a, c"),
        (b"a,b\n", "at least one row"),
        (b"", "column a, b, found none"),
        (b"\xff\xfe\x00bad", "another kind of file"),
    ],
)
def test_a_bad_table_is_named(tmp_path, content, found):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UserError, match=found) as raised:
        read_table(tmp_path / "a.csv", ("a", "b"))
    assert str(raised.value).startswith(f"{tmp_path / 'a.csv'}: expected ")


def test_words_of_publishers():
    assert [parse_split(word, Path("t"), 1) for word in ("train", "VAL", "validate", "test")] == [
        "train",
        "validate",
        "validate",
        "test",
    ]
    with pytest.raises(UserError, match="row 7, found 'holdout'"):
        parse_split("holdout", Path("t.csv"), 7)
    assert [parse_view(word) for word in ("pa", "AP", "LL", "Lateral", "", "?")] == [
        "PA",
        "AP",
        "lateral",
        "lateral",
        "unknown",
        "unknown",
    ]
    assert [parse_sex(word) for word in ("F", "male", "", "O")] == ["F", "M", None, None]
    assert [parse_years(word) for word in ("58", "058Y", "58.0", "006M", "411", "")] == [
        58,
        58,
        58,
        0.5,
        None,
        None,
    ]


def test_the_first_folder_that_holds_a_name_wins(tmp_path):
    for name in ("a/x.png", "b/x.png", "b/y.JPG", "b/z.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_files([tmp_path / "a", tmp_path / "b"], (".png", ".jpg"))
    assert found == {"x": tmp_path / "a/x.png", "y": tmp_path / "b/y.JPG"}
