import io

import numpy as np
from PIL import Image

from llmcxr.evaluation.demo.page import demo_blocks, demo_sheet
from llmcxr.evaluation.demo.records import Check, Drawing, Reading
from llmcxr.pages.document import CROSS, TICK, Cards, to_html
from llmcxr.records import Question

IMAGE = np.zeros((16, 16), np.float32)
DRAWING = Drawing(
    "Large nodule.",
    IMAGE,
    "A nodule.",
    (Check("nodule", "nodule 0.98", True), Check("right", "left", False)),
)
READING = Reading(IMAGE, "Truth.", "Report.", ((Question("Is there edema?", "No."), "Yes."),))
SUMMARY = {
    "reading_f1": {"macro": 0.9, "nodule": None},
    "drawing_agreement": {"macro": 0.8, "nodule": 1.0},
    "ctr_read_r": 0.95,
    "ctr_drawn_r": 0.9,
    "valid_images": 1.0,
}


def test_checks_and_answers_are_marked_as_met_or_not():
    drawn, read = (
        block for block in demo_blocks([DRAWING], [READING], SUMMARY, 6) if isinstance(block, Cards)
    )
    assert drawn.cards[0].table.rows == [[TICK, "nodule", "nodule 0.98"], [CROSS, "right", "left"]]
    assert read.cards[0].table.rows == [[CROSS, "Is there edema?", "Yes.", "No."]]


def test_scores_have_a_row_a_finding_and_a_dash_where_there_is_none():
    page = to_html("demo", demo_blocks([DRAWING], [READING], SUMMARY, 6))
    assert "Scored on 6 held-out phantoms each way" in page
    assert "<td>nodule</td><td>-</td><td>1.00</td>" in page
    assert "<td>cardiothoracic ratio, r</td><td>0.95</td><td>0.90</td>" in page


def test_the_sheet_shows_the_drawings():
    with Image.open(io.BytesIO(demo_sheet([DRAWING]))) as picture:
        assert picture.format == "PNG" and picture.width > picture.height > 100
