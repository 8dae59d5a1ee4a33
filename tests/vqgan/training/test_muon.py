import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vqgan.training.muon import MuonAdamW, orthogonalize


@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 2**31))
def test_orthogonalized_matrices_have_singular_values_near_one(rows: int, columns: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    left, _ = torch.linalg.qr(torch.randn(rows, rows, generator=generator))
    right, _ = torch.linalg.qr(torch.randn(columns, columns, generator=generator))
    count = min(rows, columns)
    values = 0.2 + torch.rand(count, generator=generator)  # well away from zero
    matrix = left[:, :count] * values @ right[:, :count].T
    result = torch.linalg.svdvals(orthogonalize(matrix))
    assert result.min() > 0.5 and result.max() < 1.3


def test_muon_keeps_the_directions_of_a_scaled_rotation() -> None:
    rotation = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    result = orthogonalize(7 * rotation)
    cosine = (result * rotation).sum() / (result.norm() * rotation.norm())
    assert cosine.item() == pytest.approx(1, abs=1e-5)


def test_others_take_the_steps_of_adamw() -> None:
    start = torch.randn(5, 3)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    optimizers = (
        MuonAdamW([], [ours], [], 0.0, 0.01, (0.9, 0.95), 0.1),
        torch.optim.AdamW([theirs], 0.01, (0.9, 0.95), weight_decay=0.1),
    )
    for step in range(4):
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = torch.full((5, 3), 0.5 - step) * start
            optimizer.step()
    torch.testing.assert_close(ours, theirs)


def test_biases_do_not_decay_and_kernels_do() -> None:
    kernel, bias = torch.nn.Parameter(torch.ones(2, 3)), torch.nn.Parameter(torch.ones(2))
    optimizer = MuonAdamW([], [kernel], [bias], 0.0, 0.5, (0.9, 0.95), 0.1)
    kernel.grad, bias.grad = torch.zeros(2, 3), torch.zeros(2)
    optimizer.step()
    assert kernel[0, 0].item() == pytest.approx(0.95) and bias[0].item() == 1
