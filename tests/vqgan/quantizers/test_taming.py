import pytest
import torch

from vqgan.quantizers.taming import TamingCodebookConfig, TamingQuantizer

LATENTS = torch.tensor([[3.0, 5.0]]).reshape(1, 1, 1, 2)


def build(**settings) -> TamingQuantizer:
    quantizer = TamingQuantizer(TamingCodebookConfig(codebook_size=2, codebook_dim=1, **settings))
    with torch.no_grad():
        quantizer.vectors.copy_(torch.tensor([[2.0], [7.0]]))
    return quantizer


def test_the_nearest_code_and_the_loss_by_hand() -> None:
    output = build()(LATENTS)  # 3 is nearest to 2, 5 to 7: mean squared error (1 + 4) / 2
    assert output.codes.tolist() == [[[0, 1]]] and output.quantized.flatten().tolist() == [2, 7]
    assert output.loss.item() == pytest.approx(1.25 * 2.5)


@pytest.mark.parametrize(("legacy", "of_latents", "of_codebook"), [(True, 1, 0.25), (False, 0.25, 1)])
def test_beta_weighs_the_codebook_in_legacy_weights(
    legacy: bool, of_latents: float, of_codebook: float
) -> None:
    quantizer, latents = build(legacy_beta=legacy), LATENTS.clone().requires_grad_()
    quantizer(latents).loss.backward()
    # d mean((z - e)^2) = (z - e): 1 and -2
    assert latents.grad.flatten().tolist() == pytest.approx([1 * of_latents, -2 * of_latents])
    assert quantizer.vectors.grad.flatten().tolist() == pytest.approx([-1 * of_codebook, 2 * of_codebook])


@pytest.mark.parametrize("legacy", [True, False])
def test_the_same_as_the_quantizer_of_taming_transformers(legacy: bool) -> None:
    original = pytest.importorskip(
        "taming.modules.vqvae.quantize", reason="needs pip install --no-deps taming-transformers-rom1504"
    )
    torch.manual_seed(0)
    ours = TamingQuantizer(TamingCodebookConfig(32, 8, 0.25, legacy))
    theirs = original.VectorQuantizer2(32, 8, beta=0.25, legacy=legacy, sane_index_shape=True)
    theirs.embedding.weight.data.copy_(ours.vectors.detach())
    latents = torch.randn(2, 8, 4, 4) / 32
    quantized, loss, (_, _, codes) = theirs(latents)
    output = ours(latents)
    assert torch.equal(output.codes, codes)
    torch.testing.assert_close(output.quantized, quantized)
    torch.testing.assert_close(output.loss, loss)
