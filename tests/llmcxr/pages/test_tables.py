from llmcxr.pages.tables import interval, markdown, number


def test_numbers_and_what_is_unknown():
    assert [number(0.93124), number(12), number(None)] == ["0.931", "12", "-"]
    assert interval((0.9, 0.95)) == " (0.900-0.950)"
    assert interval(None) == ""


def test_markdown_has_one_line_per_row_and_as_many_bars():
    table = markdown(["a", "b"], [["x", "1"], ["y", "2"]]).split("\n")
    assert table[1] == "| --- | ---: |"
    assert {line.count("|") for line in table} == {3}
