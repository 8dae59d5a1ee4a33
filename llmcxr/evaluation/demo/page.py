"""Write the demonstration as a document. Knows the keys of its summary, computes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from llmcxr.evaluation.demo.records import Drawing, Reading
from llmcxr.metrics.answers.matchers import is_right
from llmcxr.outputs.notices import DISCLAIMER, SYNTHETIC_IMAGES
from llmcxr.pages.document import CROSS, TICK, Block, Card, Cards, Heading, Paragraph, Picture, Table
from llmcxr.pages.sheets import draw_cards
from llmcxr.pages.tables import number

TITLE = "One model that draws, reads and answers"
DRAWN = "Drawn from a sentence, then read by the same model"
JUDGES = "Judged by a classifier that took part in no training loss, and by geometry from the pixels."


def demo_blocks(
    drawings: Sequence[Drawing], readings: Sequence[Reading], summary: dict, n: int
) -> list[Block]:
    """Write the page. `summary` is that of `run.summarise`, measured on `n` held-out phantoms."""
    return [
        Paragraph(SYNTHETIC_IMAGES),
        Cards(DRAWN, [_drawing(one) for one in drawings]),
        Cards("Fresh phantoms: read, and asked about", [_reading(one) for one in readings]),
        Heading(f"Scored on {n} held-out phantoms each way"),
        _scores(summary),
        Paragraph(
            "Reading: F1 of each finding in the written reports. Drawing: share of the requests naming a"
            " finding in whose drawing a classifier that took part in no loss sees it, on the side asked for."
            f" {n} phantoms are few: differences below 0.1 mean little. A dash: no such phantom among them."
        ),
    ]


def demo_sheet(drawings: Sequence[Drawing]) -> bytes:
    """Draw the drawings alone, as one PNG."""
    return draw_cards(DRAWN, JUDGES, [_drawing(one) for one in drawings], f"{SYNTHETIC_IMAGES} {DISCLAIMER}")


def _drawing(drawing: Drawing) -> Card:
    rows = [[_mark(check.is_met), check.requested, check.measured] for check in drawing.checks]
    return Card(
        Picture(drawing.image, drawing.prompt),
        drawing.prompt,
        [("The model's own report of its drawing", drawing.report)],
        Table(["", "requested", "measured"], rows),
    )


def _reading(reading: Reading) -> Card:
    rows = [
        [_mark(is_right(answer, question.answer, question.kind)), question.question, answer, question.answer]
        for question, answer in reading.answered
    ]
    return Card(
        Picture(reading.image, "phantom"),
        "",
        [("The model's report", reading.report), ("What is in the phantom", reading.truth)],
        Table(["", "question", "answer", "truth"], rows),
    )


def _scores(summary: dict) -> Table:
    rows = [
        [name, number(value, 2), number(summary["drawing_agreement"][name], 2)]
        for name, value in summary["reading_f1"].items()
    ]
    ratios = [number(summary[key], 2) for key in ("ctr_read_r", "ctr_drawn_r")]
    rows += [["cardiothoracic ratio, r", *ratios], ["valid images", "", number(summary["valid_images"], 2)]]
    return Table(["", "reading, F1", "drawing, agreement"], rows)


def _mark(is_met: bool) -> str:
    return TICK if is_met else CROSS
