import time

import pytest

from llmcxr.reports.headings import ABOUT, FILM, ORGAN, OUTSIDE, PERSON, RULE, TITLE, find_headings


@pytest.mark.parametrize(
    ("text", "opens"),
    [
        ("Findings & Impression: x", "findings"),
        ("IMPRESSION/PLAN: x", "impression"),
        ("Clinical history: x", "indication"),
        ("REASON FOR THIS EXAMINATION: x", "indication"),
        ("XR EXAMINATION", None),
        ("Prior studies: x", "comparison"),
        ("RECOMMENDATION(S): x", OUTSIDE),
        ("Electronically signed by x", OUTSIDE),
        ("Frontal and lateral views of the chest: x", FILM),
        ("PORTABLE CHEST, ___", TITLE),
        ("Lungs and airways: x", ORGAN),
        ("Date of birth: x", ABOUT),
        ("Attending physician: x", PERSON),
        ("----------", RULE),
        ("___", None),  # a name that was removed
        ("Findings consistent with edema", None),
        ("Findings are: x", None),
        ("as signed by x", None),
        ("ADDENDUM ___ by x", OUTSIDE),
        ("Comparison with prior: stable", None),
        ("FINDINGS WITH IMPRESSION: x", "findings"),
    ],
)
def test_a_line_opens(text, opens):
    assert [heading.opens for heading in find_headings(text)] == ([] if opens is None else [opens])


def test_headings_begin_and_end_where_they_are_written():
    text = "A.\n 2. **FINDINGS:** B. Impression (final): C"
    ends = [(text[one.start : one.end].strip(), one.opens) for one in find_headings(text)]
    assert ends == [("2. **FINDINGS:**", "findings"), ("Impression (final):", "impression")]


@pytest.mark.parametrize("letter", ["İ", "ß", "ﬁ"])  # some change their length in lower case
def test_places_are_those_of_the_text(letter):
    text = f"{letter * 5}. Impression: x"
    assert [text[one.end :] for one in find_headings(text)] == [" x"]


@pytest.mark.parametrize("between", ["{}_", "{}'", "[x]{})", "word{}<b>", ".{}*_"])
def test_a_long_run_of_blanks_before_a_mark_takes_no_time(between):
    text = ("lungs" + between.format(" " * 6000) + "IMPRESSION: clear ") * 5
    started = time.process_time()
    find_headings(text)
    assert time.process_time() - started < 2  # half a minute, were each blank to begin a search
