import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vqgan.quantizers.fsq import FSQ, FSQConfig, round_ste


def latents_of(*values: float) -> torch.Tensor:
    return torch.tensor(values).reshape(1, -1, 1, 1)


def test_zero_latents_take_the_middle_of_each_level() -> None:
    # Digits of (8, 5, 5, 5) at rest: 4 of 0..7, 2 of 0..4, so 4 + 2*8 + 2*40 + 2*200.
    output = FSQ(FSQConfig((8, 5, 5, 5)))(latents_of(0, 0, 0, 0))
    assert output.codes.tolist() == [[[500]]]
    assert output.quantized.flatten().tolist() == [0, 0, 0, 0]
    assert output.loss == 0


def test_far_latents_take_the_ends() -> None:
    quantizer = FSQ(FSQConfig((8, 5, 5, 5)))
    low, high = quantizer(latents_of(-9, -9, -9, -9)), quantizer(latents_of(9, 9, 9, 9))
    assert (low.codes.item(), high.codes.item()) == (0, 999)
    assert low.quantized.flatten().tolist() == [-1, -1, -1, -1]
    assert high.quantized.flatten().tolist() == [0.75, 1, 1, 1]  # an even level has one value fewer above 0


def test_first_channel_varies_fastest() -> None:
    codebook = FSQ(FSQConfig((3, 2))).codebook()
    assert codebook.tolist() == [[-1, -1], [0, -1], [1, -1], [-1, 0], [0, 0], [1, 0]]


def test_between_two_levels_the_nearer_is_taken() -> None:
    # With three levels the value is tanh(latent) * 1.001, rounded: 0.5 lies at latent atanh(0.5 / 1.001) =
    # 0.5486.
    quantizer = FSQ(FSQConfig((3,)))
    assert quantizer(latents_of(0.54)).codes.item() == 1
    assert quantizer(latents_of(0.56)).codes.item() == 2


@given(st.lists(st.integers(2, 9), min_size=1, max_size=4), st.integers(0, 2**31))
def test_codes_and_vectors_round_trip(levels: list[int], seed: int) -> None:
    quantizer = FSQ(FSQConfig(levels))
    generator = torch.Generator().manual_seed(seed)
    output = quantizer(4 * torch.randn(2, len(levels), 3, 2, generator=generator))
    assert torch.equal(quantizer.codes_to_quantized(output.codes), output.quantized)
    assert torch.equal(quantizer.codebook()[output.codes].movedim(-1, 1), output.quantized)


@given(st.lists(st.integers(2, 6), min_size=1, max_size=4))
def test_codebook_has_a_distinct_vector_per_code(levels: list[int]) -> None:
    quantizer = FSQ(FSQConfig(levels))
    codebook = quantizer.codebook()
    assert codebook.shape == (quantizer.codebook_size, quantizer.codebook_dim)
    assert len(codebook.unique(dim=0)) == quantizer.codebook_size
    assert codebook.abs().max() <= 1


def test_gradients_pass_straight_through() -> None:
    values = torch.tensor([0.2, 1.7], requires_grad=True)
    rounded = round_ste(values)
    rounded.sum().backward()
    assert rounded.tolist() == [0, 2]
    assert values.grad.tolist() == [1, 1]


def test_refuses_impossible_levels_and_channels() -> None:
    with pytest.raises(ValueError, match=r"\(8, 1\)"):
        FSQ(FSQConfig((8, 1)))
    with pytest.raises(ValueError, match="need 2 channels, got 3"):
        FSQ(FSQConfig((8, 5)))(latents_of(0, 0, 0))


def test_the_same_as_vector_quantize_pytorch() -> None:
    theirs_of = pytest.importorskip("vector_quantize_pytorch", reason="needs vector-quantize-pytorch")
    latents = 2 * torch.randn(2, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    quantized, indices = theirs_of.FSQ(levels=[8, 5, 5, 5], channel_first=True)(latents)
    output = FSQ(FSQConfig((8, 5, 5, 5)))(latents)
    assert torch.equal(output.codes, indices.long())
    torch.testing.assert_close(output.quantized, quantized)
