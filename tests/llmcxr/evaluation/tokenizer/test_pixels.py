import numpy as np
import pytest

from llmcxr.evaluation.tokenizer.pixels import count_scales, line_contrast_kept, ms_ssim, region_psnr
from llmcxr.metrics.images.psnr_ssim import ssim

NOISE = np.random.default_rng(0).random((3, 176, 176), dtype=np.float32)


@pytest.mark.parametrize(
    ("side", "scales"), [(16, 1), (21, 1), (43, 2), (44, 3), (99, 4), (128, 4), (175, 4), (176, 5), (512, 5)]
)
def test_scales_fit_the_image(side, scales):
    assert count_scales(side) == scales
    values = ms_ssim(NOISE[:1, :1, :1].repeat(side, 1).repeat(side, 2), np.zeros((1, side, side), np.float32))
    assert values.shape == (1,) and np.isfinite(values).all()


def test_ms_ssim_of_equal_images_is_one_and_of_changed_ones_less():
    assert ms_ssim(NOISE, NOISE) == pytest.approx(np.ones(3), abs=1e-5)
    changed = ms_ssim(NOISE, NOISE[::-1])
    assert (changed[[0, 2]] < 0.3).all() and changed[1] == pytest.approx(1)
    assert ms_ssim(NOISE[:, :10, :10], NOISE[:, :10, :10]) is None


def test_with_one_scale_it_is_plain_ssim():
    first, second = NOISE[:, :40, :40], np.clip(NOISE[:, :40, :40] * 0.9 + 0.05, 0, 1)
    assert ms_ssim(first, second) == pytest.approx(ssim(first, second), abs=5e-3)


def test_black_images_are_equal():
    black = np.zeros((1, 176, 176), np.float32)
    assert ms_ssim(black, black) == pytest.approx(1)


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
