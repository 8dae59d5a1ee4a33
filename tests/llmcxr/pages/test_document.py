"""What is written as Markdown, and what stands in the page; every picture is read back."""

import base64
import io
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
from PIL import Image

from llmcxr.pages.document import (
    Bars,
    Curves,
    Heading,
    Paragraph,
    Picture,
    Plot,
    Sheet,
    Table,
    to_html,
    to_markdown,
)

BLOCKS = [
    Heading("Reports"),
    Paragraph("It is **well** & 3 < 4."),
    Table(["metric", "value"], [["BLEU-1", "0.5"]], "Words"),
    Bars("By finding", [("edema", 0.5, (0.25, 1.0), 7)]),
    Curves("Risk", "kept", "wrong", {"by evidence": ([0.5, 1.0], [0.0, 0.2])}),
    Sheet("Best", [Picture(np.eye(40, dtype=np.float32), "A <large> heart.")]),
]


def test_markdown_has_words_and_tables_alone():
    assert to_markdown(BLOCKS) == (
        "## Reports\n\nIt is **well** & 3 < 4.\n\nWords\n\n"
        "| metric | value |\n| --- | ---: |\n| BLEU-1 | 0.5 |\n"
    )


def test_the_page_opens_offline_and_says_what_it_is():
    page = to_html("a & b", BLOCKS)
    assert "<title>a &amp; b</title>" in page and "not a medical device" in page
    assert "It is <strong>well</strong> &amp; 3 &lt; 4." in page
    assert "http" not in page and "<script" not in page and "<link" not in page
    assert "<td>BLEU-1</td><td>0.5</td>" in page
    assert 'class="badge">synthetic</span> A &lt;large&gt; heart.' in page


def test_bars_and_curves_lie_where_the_numbers_say():
    page = to_html("t", BLOCKS)
    bars, curve = (ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.S))
    bar, line = bars.find("rect"), bars.find("line")
    assert float(bar.get("width")) == 180  # half of 360 px
    assert [float(line.get(key)) - float(bar.get("x")) for key in ("x1", "x2")] == [90, 360]
    (first, last) = curve.find("polyline").get("points").split()
    assert first == "196.0,202.0" and last == "346.0,10.0"  # bottom in the middle, top on the right


def test_pictures_are_inlined_and_marked_in_the_file():
    page = to_html(
        "t", [Sheet("s", [Picture(np.eye(40, 80, dtype=np.float32), "x", False), *BLOCKS[-1].pictures])]
    )
    real, drawn = (
        Image.open(io.BytesIO(base64.b64decode(data))) for data in re.findall(r"base64,([^\"]+)", page)
    )
    assert real.size == (192, 96) and "synthetic" not in real.info
    assert "not a radiograph of a patient" in drawn.info["synthetic"]


def test_a_plot_is_inlined_as_it_is():
    assert f"data:image/png;base64,{base64.b64encode(b'png').decode()}" in to_html(
        "t", [Plot("maps", b"png")]
    )
    assert to_markdown([Plot("maps", b"png")]) == "\n"


def test_a_long_table_is_folded_on_the_page():
    page = to_html("t", [Table(["a"], [["1"]], "All", folded=True)])
    assert "<details><summary>All</summary><table>" in page
