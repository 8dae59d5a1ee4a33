"""A reading: what is written of a radiograph, and what is warned of."""

from pathlib import Path

import numpy as np

from llmcxr.outputs.notices import PHANTOM_NOTICE
from llmcxr.outputs.reading import Radiograph, Reading
from llmcxr.predictor import AnswerResult


def test_what_the_file_and_the_model_warn_of_alike_is_said_once():
    radiograph = Radiograph(
        Path("a.png"), np.zeros((32, 32), np.float32), ("stored as a colour picture", "one even grey")
    )
    result = AnswerResult("No.", [7], -0.1, 0, ("one even grey", "too few pixels"), question="Any effusion?")
    reading = Reading(radiograph, result, "tiny", is_phantom_trained=True)
    assert reading.image_warnings == ["stored as a colour picture", "one even grey", "too few pixels"]
    assert reading.warnings == [*reading.image_warnings, PHANTOM_NOTICE]
