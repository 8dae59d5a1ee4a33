from types import SimpleNamespace

import numpy as np

from llmcxr.data import open_dataset
from llmcxr.predictor import DrawResult, ReportResult
from llmcxr.training.study_sheet import LINE, LINES, SIDE, draw_studies


class Grey:
    """Draws a grey picture of anything, and writes of any radiograph that it is clear."""

    image_tokenizer = SimpleNamespace(config=SimpleNamespace(image_size=32))

    def draw(self, texts, seed):
        return [DrawResult(np.full((32, 32), 0.5, np.float32), text) for text in texts]

    def report(self, images):
        return [ReportResult("Clear.") for _ in images]


def test_a_study_is_a_column_of_two_pictures_above_their_texts():
    dataset = open_dataset("phantom:n=3,seed=0")
    sheet = draw_studies(Grey(), dataset, [0, 2])
    assert sheet.dtype == np.uint8 and sheet.shape == (2 * SIDE + LINES * LINE, 2 * SIDE)
    assert (sheet[SIDE : 2 * SIDE] == 128).all()  # both drawings
    mean = 255 * dataset.read(2, 32).mean()
    assert abs(sheet[:SIDE, SIDE:].mean() - mean) < 2  # the second study's radiograph
    text = sheet[2 * SIDE :, :SIDE]
    assert text.min() < 50 and (text == 255).mean() > 0.5
