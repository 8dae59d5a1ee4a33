"""What the quantizers share, by hand."""

import pytest
import torch

from vqgan.errors import UserError
from vqgan.quantizers.quantizer import check_channels, in_float32, nearest, straight_through
from vqgan.quantizers.simvq import SimVQConfig


def test_the_nearest_vector_is_taken_in_each_cell():
    vectors = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    latents = torch.tensor([[[[0.4, 0.6]], [[0.0, 0.9]]]])  # (1, 2, 1, 2): cells (0.4, 0) and (0.6, 0.9)
    assert nearest(latents, vectors).tolist() == [[[0, 1]]]  # 0.6² + 0.9² > 0.4² + 0.9²


def test_gradients_pass_the_quantizer_as_if_it_were_not_there():
    latents = torch.tensor([0.3, 0.7], requires_grad=True)
    quantized = straight_through(latents, torch.tensor([0.0, 1.0]))
    assert quantized.tolist() == [0, 1]
    (3 * quantized).sum().backward()
    assert latents.grad.tolist() == [3, 3]


def test_distances_are_in_float32_under_autocast():
    @in_float32
    def forward(self, latents):
        return (latents @ latents.mT).dtype

    with torch.autocast("cpu", torch.bfloat16):
        assert forward(None, torch.ones(2, 2, dtype=torch.bfloat16)) == torch.float32


def test_impossible_codebooks_are_a_users_mistake_and_wrong_shapes_a_callers():
    with pytest.raises(UserError, match="codebook_size must be at least 1, got 0"):
        SimVQConfig(0, 4)
    with pytest.raises(ValueError, match=r"\(B, 4, h, w\), got \(1, 3, 2, 2\)") as caught:
        check_channels(torch.zeros(1, 3, 2, 2), 4)
    assert not isinstance(caught.value, UserError)
