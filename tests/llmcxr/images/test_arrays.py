"""Arrays and tensors as radiographs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llmcxr import images
from llmcxr.common.errors import UserError

RAMP = np.linspace(0, 1, 24 * 40, dtype=np.float32).reshape(24, 40)


@pytest.mark.parametrize(
    "source",
    [
        RAMP[None],
        RAMP[..., None],
        np.stack([RAMP] * 3),
        np.stack([RAMP] * 3, -1),
        np.rint(RAMP * 255).astype(np.uint8),
        np.rint(RAMP * 4095).astype(np.uint16),
        np.rint(RAMP * 65535).astype(np.int64),
        torch.from_numpy(RAMP),
        torch.from_numpy(RAMP)[None],
        torch.from_numpy(RAMP).expand(3, 24, 40),
        torch.from_numpy(RAMP).bfloat16(),
        torch.from_numpy(RAMP).double().requires_grad_(),
        torch.from_numpy(np.rint(RAMP * 255).astype(np.uint8)),
    ],
    ids=str,
)
def test_every_array_of_one_radiograph_reads_alike(source):
    np.testing.assert_allclose(images.read(source), RAMP, atol=1 / 250)


def test_integers_0_and_1_are_black_and_white():
    assert images.read(np.eye(20, dtype=int)).max() == 1
    assert images.read(np.eye(20, dtype=bool)).max() == 1


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (np.zeros((20, 20), complex), "of numbers, got complex128"),
        (np.array([["a.png"]]), "of numbers"),
        (np.array(None), "of numbers"),
        (np.zeros((0, 20)), "at least 16"),
        (torch.zeros(2, 20, 20), r"the image tensor: .* must be \(H, W\)"),
        (torch.full((20, 20), torch.nan), "the image tensor: pixels must be finite"),
        (torch.full((20, 20), -1.0), r"must lie in \[0, 1\], found -1"),
        (torch.zeros(20, 20).to_sparse(), "expected a tensor of plain numbers"),
        (torch.zeros(20, 20, device="meta"), "expected a tensor of plain numbers"),
    ],
)
def test_what_is_no_radiograph_is_said(source, says):
    with pytest.raises(UserError, match=says):
        images.read(source)


def test_a_batch_is_told_from_a_colour_picture():
    assert images.is_batch(np.zeros((5, 20, 20))) and images.is_batch(torch.zeros(5, 1, 20, 20))
    assert not images.is_batch(np.zeros((20, 20, 3))) and not images.is_batch(torch.zeros(3, 20, 20))
    assert not images.is_batch(np.zeros((20, 20, 1))) and images.is_batch(np.zeros((5, 20, 20, 1)))
    assert not images.is_batch("a.png")
