import io

import numpy as np
from PIL import Image

from llmcxr.data.phantom import PhantomDataset
from llmcxr.evaluation.tokenizer.sheet import choose_cases, draw_sheet
from tests.llmcxr.evaluation.tokenizer.tokenizers import Passing


def test_the_worst_come_first_and_ordinary_ones_beside():
    psnr = np.array([30, 10, 20, 25, 26, 27, 28, 5])
    worst, ordinary = choose_cases(psnr, columns=2)
    assert psnr[worst].tolist() == [5, 10] and psnr[ordinary].tolist() == [26, 27]
    assert [len(cases) for cases in choose_cases(psnr[:3], columns=2)] == [2, 1]


def test_a_sheet_shows_image_reconstruction_and_difference():
    dataset = PhantomDataset(3, 5)
    png = draw_sheet(Passing(32), dataset, [0, 1, 2], np.array([3.0, 1, 2]))
    with Image.open(io.BytesIO(png)) as sheet:
        pixels = np.asarray(sheet.convert("L"), np.float32) / 255
    cell = 256
    first, second, third = (pixels[34 + row * (cell + 8) :][:cell, 8 : 8 + cell] for row in range(3))
    assert np.abs(first - second).max() == 0 and np.abs(third - 0.5).max() < 0.01
    small = first.reshape(32, 8, 32, 8).mean((1, 3))
    assert np.abs(small - dataset.read(1, 32)).mean() < 0.02  # the worst is study 1
