"""Publishers' tables and the words in their cells."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from llmcxr.common.errors import UserError
from llmcxr.common.rejections import Rejections
from llmcxr.data import text_files
from llmcxr.data.tables import find_files, parse_sex, parse_split, parse_years, read_table
from llmcxr.images.dicom.views import parse_view


def test_cells_are_stripped(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("\ufeffa, b ,c\n1 , é,\n".encode())  # with the mark that spreadsheets write
    assert read_table(path, ("a", "b")) == [{"a": "1", "b": "é", "c": ""}]
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert read_table(tmp_path / "a.csv.gz", ()) == read_table(path, ())


def _read(folder: Path, content: bytes | str, required: tuple[str, ...] = ("a", "b"), **options) -> list:
    (folder / "a.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(folder / "a.csv", required, **options)


ROWS = [{"a": "1", "b": "x, y; z|w"}, {"a": "2", "b": "two\nlines"}]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_encodings_and_line_ends_of_spreadsheets(tmp_path, separator, encoding, end):
    lines = (
        f"a{separator} b",
        f'1{separator} "x, y; z|w"',
        f'2{separator}"two\nlines"',
        "",
        separator,
    )  # blank lines at the end are no rows
    assert _read(tmp_path, end.join(lines).encode(encoding)) == ROWS


def test_marks_of_bytes_order_of_files_that_were_joined(tmp_path):
    assert _read(tmp_path, "\ufeff\ufeffa,b\n1,2\n") == [{"a": "1", "b": "2"}]


def test_one_of_several_columns_is_enough_and_publishers_names_stay(tmp_path):
    assert _read(tmp_path, "Patient ID,b\n1,2\n", (("a", "b"), "Patient ID")) == [
        {"Patient ID": "1", "b": "2"}
    ]
    with pytest.raises(UserError, match="expected the column a or b in the first line"):
        _read(tmp_path, "x,y\n1,2\n", (("a", "b"),))


def test_a_line_that_names_the_separator(tmp_path):
    assert _read(tmp_path, "sep=;\r\na;b\r\n1;2\r\n") == [{"a": "1", "b": "2"}]
    with pytest.raises(UserError, match=r"row 1 \(line 3\)"):
        _read(tmp_path, "sep=;\na;b\n1\n")


def test_columns_without_a_name_hold_nothing_that_is_read(tmp_path):
    assert _read(tmp_path, ",a,b,,\n0,1,2,,\n1,3,4\n") == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    with pytest.raises(UserError, match=r"row 1 \(line 2\)"):  # shifted by a comma in it
        _read(tmp_path, "a,b,\n1,two, three\n")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("a,c\n1,2\n", "column b in the first line, found a, 1 other; add"),
        ("a,b\n", "at least one row"),
        ("a,b\n\n\n", "at least one row"),
        ("", "column a, b in the first line, found none"),
        ("\na,b\n1,2\n", "column a, b in the first line, found none"),
        ("a:b\n1:2\n", "found 1 other; separate the columns by commas"),
        ("a,b,a\n1,2,3\n", "one name for columns 1 and 3"),
        ("a,b\n1,2,3\n", r"2 cells in row 1 \(line 2\), one for each column of the header, found 3; put"),
        (
            "a,b\n1,2\n3\n",
            r"2 cells in row 2 \(line 3\), one for each column of the header, found 1; separate",
        ),
        ("a,b\n1\n2,3\n4\n", r"row 1 \(line 2\), .*; 1 more row does not fit: row 3 \(line 4\)$"),
        ("a,b\n1\n2\n\n3\n4\n", r"4 more rows do not fit: row 2 \(line 3\), row 3 .*, row 4 .*, \.\.\.$"),
        ("a,b,c\n1,2,3\n4,5\n", "found 2; add those that are missing"),
        ("a,b\n1,2\na,b\n3,4\n", r"expected one header, found it again in row 2 \(line 3\); remove it"),
        ("Image,b,image,a\n1,2,3,4\n", "one name for columns 1 and 3"),
        ("x,y\n1,2\n", "found 2 others; add or rename it; the first line must name the columns"),
        ("a,b\n1,2,\n", r"2 cells in row 1 \(line 2\)"),
        ('a,b\n1,"2\n\n2"\n3\n', r"row 2 \(line 5\)"),
        ("a,b\n1,2\n\n3,4\n", r"cells in row 2 \(line 3\), found an empty row"),
        ("a,b\n1,2\n , \n3,4\n", r"cells in row 2 \(line 3\), found an empty row"),
        ('a,b\n1,2\n3,"4\n5,6\n', "begins in line 3, found a double quote that is not closed"),
        ('a,b\n1,2\n3,"4" 5\n6,7\n', "begins in line 3, found a double quote"),
        ("a,b\n1,2\n3," + "4" * 200_000 + "\n", "line 3, found one of more than 131,072 characters"),
        ("a,b\n1,2\n3,4\0\n", "a NUL byte in line 3"),
        (b"a,b\n1,2\n3,\xe9t\xe9\n", "in UTF-8, found bytes in line 3"),
        (b"\xff\xfe\x00ba", "another kind of file"),
        (b"PK\x03\x04...", "a spreadsheet"),
        ("a,b\n" + "1,2\n" * 9 + "3," * 3_000_000, "longer one in line 11"),
    ],
)
def test_a_bad_table_is_named(tmp_path, content, found):
    with pytest.raises(UserError, match=found) as raised:
        _read(tmp_path, content)
    assert str(raised.value).startswith(f"{tmp_path / 'a.csv'}: expected ")


def test_no_cell_stands_in_a_message_where_the_header_was_forgotten(tmp_path):
    with pytest.raises(UserError, match="found text, 1 other;") as raised:
        _read(tmp_path, "Text,DOE^JANE 4711\nx,y\n", ("image",))
    assert "DOE" not in str(raised.value)


def test_malformed_rows_become_rejections(tmp_path):
    rejections = Rejections()
    rows = _read(tmp_path, "a,b\n1,2,DOE\n\n3,4\n5\n", rejections=rejections)
    assert rows == [{"a": "3", "b": "4"}] and rows[0].place == "row 3 (line 4)"
    assert [place for place, _ in rejections.entries] == [
        "row 1 (line 2)",
        "row 2 (line 3)",
        "row 4 (line 5)",
    ]
    assert "DOE" not in str(rejections.entries)
    with pytest.raises(UserError, match="not closed"):  # which row ends where is not known
        _read(tmp_path, 'a,b\n1,"2\n3,4\n', rejections=rejections)


def test_json_lines_are_a_table_too(tmp_path):
    lines = ('{"a": " x ", "b": 7}', "", '{"b": null, "a": "y", "c": 0.5}', '{"a": [1]}', '{"a": true}')
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    rejections = Rejections()
    rows = read_table(tmp_path / "a.jsonl", ("a",), rejections)
    assert rows == [{"a": "x", "b": "7", "c": ""}, {"a": "y", "b": "", "c": "0.5"}]
    assert [place for place, _ in rejections.entries] == ["row 3 (line 4)", "row 4 (line 5)"]
    with pytest.raises(UserError, match=r"texts and numbers in row 3 \(line 4\)"):
        read_table(tmp_path / "a.jsonl", ("a",))
    with pytest.raises(UserError, match="column d in the first line, found 3 others"):
        read_table(tmp_path / "a.jsonl", ("d",))
    (tmp_path / "a.jsonl").write_text("\n")
    with pytest.raises(UserError, match="at least one row"):
        read_table(tmp_path / "a.jsonl", ())


@pytest.mark.parametrize("line", ["1,2\n", "\n", '"' + "x" * 40 + '",y\n', "1," + "y" * 1000 + "\n"])
def test_a_table_that_takes_too_much_memory_is_refused_before_it_does(tmp_path, monkeypatch, line):
    monkeypatch.setattr(text_files, "MOST_MEMORY", 10**6)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n" + line.encode() * 10_000))
    with pytest.raises(UserError, match="take at most 0 MB of memory, found more at row"):
        read_table(tmp_path / "a.csv.gz", ("a",))


def test_one_row_over_many_lines_is_refused(tmp_path):
    with pytest.raises(UserError, match="longer one; is a quote not closed"):
        _read(tmp_path, "a,b\n" + '"\n' + '","\n' * 2_000_000)


def test_words_of_publishers():
    assert [parse_split(word, Path("t"), "row 1") for word in ("train", "VAL", "validate", "test")] == [
        "train",
        "validate",
        "validate",
        "test",
    ]
    with pytest.raises(UserError, match="in row 7, found another word"):
        parse_split("holdout", Path("t.csv"), "row 7")
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
