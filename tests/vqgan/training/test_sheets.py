from pathlib import Path

import numpy as np
from PIL import Image

from vqgan.training.sheets import draw_sheet, write_sheet


def test_rows_are_image_reconstruction_and_twice_the_difference(tmp_path: Path) -> None:
    images = np.array([[[0.0, 0.4]], [[1.0, 0.2]]])  # two pictures of 1 x 2
    reconstructions = np.array([[[0.1, 0.4]], [[0.8, 0.9]]])
    sheet = draw_sheet(images, reconstructions, scale=1)
    assert sheet.tolist() == [[0, 102, 255, 51], [26, 102, 204, 230], [178, 128, 26, 255]]
    assert draw_sheet(images, reconstructions).shape == (6, 8)
    write_sheet(tmp_path / "sheet.png", sheet)
    with Image.open(tmp_path / "sheet.png") as picture:
        assert np.array_equal(np.asarray(picture), sheet)
