"""A reading: what is written of a radiograph, and what is warned of."""

import json
from pathlib import Path

import numpy as np
import pytest

from llmcxr.outputs.notices import PHANTOM_NOTICE, REPETITIVE
from llmcxr.outputs.reading import Radiograph, Reading
from llmcxr.predictor import AnswerResult, ReportResult
from llmcxr.reports import parse_sections


def test_what_the_file_and_the_model_warn_of_alike_is_said_once():
    radiograph = Radiograph(
        Path("a.png"), np.zeros((32, 32), np.float32), ("stored as a colour picture", "one even grey")
    )
    result = AnswerResult("No.", [7], -0.1, 0, ("one even grey", "too few pixels"), question="Any effusion?")
    reading = Reading(radiograph, result, "tiny", is_phantom_trained=True)
    assert reading.image_warnings == ["stored as a colour picture", "one even grey", "too few pixels"]
    assert reading.warnings == [*reading.image_warnings, PHANTOM_NOTICE]


@pytest.mark.parametrize(
    ("text", "is_repetitive"), [("FINDINGS: " + "effusion " * 9, True), ("Clear.", False)]
)
def test_words_over_and_over_are_marked_in_the_text_and_the_json(text, is_repetitive):
    radiograph = Radiograph(Path("a.png"), np.zeros((32, 32), np.float32), ())
    result = ReportResult(text, report=parse_sections(text))
    reading = Reading(radiograph, result, "tiny", is_phantom_trained=False)
    assert reading.to_text().endswith(REPETITIVE) is is_repetitive
    written = json.loads(reading.to_json())
    assert written["is_repetitive"] is is_repetitive
    assert (REPETITIVE in written["warnings"]) is is_repetitive
    assert REPETITIVE not in written["text"] and REPETITIVE not in str(written["sections"])
