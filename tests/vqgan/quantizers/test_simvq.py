import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vqgan.quantizers.simvq import SimVQ, SimVQConfig


def build(size: int = 16, dim: int = 4, seed: int = 0) -> SimVQ:
    torch.manual_seed(seed)
    return SimVQ(SimVQConfig(codebook_size=size, codebook_dim=dim))


def test_codes_and_losses_by_hand() -> None:
    quantizer = SimVQ(SimVQConfig(codebook_size=2, codebook_dim=1))
    with torch.no_grad():
        quantizer.frozen.copy_(torch.tensor([[1.0], [3.0]]))
        quantizer.projection.weight.fill_(2.0)  # the codes are at 2 and 6
    output = quantizer(torch.tensor([3.0, 5.0]).reshape(1, 1, 1, 2))
    assert output.codes.tolist() == [[[0, 1]]] and output.quantized.flatten().tolist() == [2, 6]
    assert output.loss.item() == pytest.approx(1 + 0.25 * 1)
    assert quantizer.codebook().flatten().tolist() == [2, 6]


def test_one_step_moves_every_code_and_not_the_frozen_ones() -> None:
    quantizer = build()
    before, frozen = quantizer.codebook(), quantizer.frozen.clone()
    quantizer(torch.randn(1, 4, 2, 2)).loss.backward()
    with torch.no_grad():
        quantizer.projection.weight -= 0.1 * quantizer.projection.weight.grad
    assert ((quantizer.codebook() - before).norm(dim=1) > 0).all()
    assert torch.equal(quantizer.frozen, frozen)
    assert set(quantizer.state_dict()) == {"frozen", "projection.weight"}


@given(st.integers(1, 40), st.integers(2, 6), st.integers(0, 2**31))
def test_codes_and_vectors_round_trip(size: int, dim: int, seed: int) -> None:
    quantizer = build(size, dim, seed)
    codes = torch.randint(size, (2, 3, 2))
    quantized = quantizer.codes_to_quantized(codes)
    torch.testing.assert_close(quantizer(quantized).quantized, quantized)
    assert torch.equal(quantizer.codebook()[codes].movedim(-1, 1), quantized)


def test_the_same_as_vector_quantize_pytorch() -> None:
    theirs_of = pytest.importorskip("vector_quantize_pytorch", reason="needs vector-quantize-pytorch")
    ours = build(32, 4)
    theirs = theirs_of.SimVQ(dim=4, codebook_size=32, rotation_trick=False, channel_first=True)
    theirs.frozen_codebook.copy_(ours.frozen)
    theirs.code_transform.load_state_dict(ours.projection.state_dict())
    latents = torch.randn(2, 4, 5, 3)
    quantized, indices, _ = theirs.eval()(latents)
    output = ours.eval()(latents)
    assert torch.equal(output.codes, indices)
    torch.testing.assert_close(output.quantized, quantized)
