import numpy as np
import pytest

from llmcxr.evaluation.tokenizer.pixels import line_contrast_kept, region_psnr, similarities

MEASURES = ("psnr", "ssim", "ms_ssim")
NOISE = np.random.default_rng(0).random((3, 176, 176), dtype=np.float32)


def test_similarities_are_of_each_image():
    found = similarities(NOISE, NOISE[::-1])
    assert {name: values.shape for name, values in found.items()} == dict.fromkeys(MEASURES, (3,))
    assert found["psnr"][1] == pytest.approx(100) and (found["psnr"][[0, 2]] < 10).all()
    assert found["ssim"][1] == pytest.approx(1, abs=1e-5) and (found["ssim"][[0, 2]] < 0.3).all()


def test_below_the_window_of_ssim_there_is_psnr_alone():
    assert list(similarities(NOISE[:, :10, :10], NOISE[:, :10, :10])) == ["psnr"]


def test_psnr_counts_the_region_alone():
    image = np.zeros((8, 8), np.float32)
    wrong = image.copy()
    wrong[:4], wrong[4:] = 0.1, 0.9
    assert region_psnr(image, wrong, np.arange(64).reshape(8, 8) < 32) == pytest.approx(20)
    assert region_psnr(image, image, image == 0) == 100


def draw_line(contrast):
    image = np.full((128, 128), 0.4, np.float32)
    image[:, 60] += contrast
    return image


def test_half_the_contrast_of_a_line_is_half_kept():
    lines = (draw_line(1) > 1).astype(np.float32)
    assert line_contrast_kept(draw_line(0.2), draw_line(0.2), lines) == pytest.approx(1)
    assert line_contrast_kept(draw_line(0.2), draw_line(0.1), lines) == pytest.approx(0.5)
    assert line_contrast_kept(draw_line(0.2), draw_line(0), lines) == pytest.approx(0, abs=1e-5)
    brighter = line_contrast_kept(draw_line(0.2), draw_line(0.2) + 0.3, lines)
    assert brighter == pytest.approx(1, abs=1e-4)  # exposure is not contrast
    assert line_contrast_kept(draw_line(0), draw_line(0.2), lines) is None
    assert line_contrast_kept(draw_line(0.2), draw_line(0.2), lines * 0) is None
