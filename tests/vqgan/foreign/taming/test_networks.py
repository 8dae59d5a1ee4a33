import pytest
import torch

from vqgan import VQGAN, VQGANConfig
from vqgan.foreign.taming.networks import TamingConfig
from vqgan.quantizers.fsq import FSQConfig
from vqgan.quantizers.taming import TamingCodebookConfig

SMALL = TamingConfig(channels=32, multipliers=(1, 2), blocks=1, attention_sides=(8,), latent_channels=32)
CODEBOOK = TamingCodebookConfig(codebook_size=16, codebook_dim=8)


def small(**settings) -> VQGANConfig:
    values = dict(
        image_size=16,
        cell_height=2,
        cell_width=2,
        architecture="taming",
        taming=SMALL,
        quantizer="taming",
        taming_codebook=CODEBOOK,
    )
    return VQGANConfig(**(values | settings))


def build(**settings) -> VQGAN:
    torch.manual_seed(0)
    return VQGAN(small(**settings)).eval()


def test_the_published_f16_tokenizer_has_16_by_16_codes_of_1024() -> None:
    config = VQGANConfig(
        image_size=256, cell_height=16, cell_width=16, architecture="taming", quantizer="taming"
    )
    assert (config.grid, config.codebook_size) == ((16, 16), 1024)
    assert config.taming.level_channels() == [128, 128, 256, 256, 512]
    assert [config.taming.has_attention(level, 256) for level in range(5)] == [False] * 4 + [True]


@pytest.mark.parametrize(
    ("size", "multipliers", "grid"),
    [(32, (1, 1, 1, 1), 4), (64, (1, 1, 1, 1, 1), 4), (64, (1, 1, 1, 1, 1, 1), 2)],
    ids=["f8", "f16", "f32"],
)
def test_cells_follow_from_the_number_of_multipliers(size: int, multipliers: tuple, grid: int) -> None:
    cell = 2 ** (len(multipliers) - 1)
    taming = TamingConfig(channels=32, multipliers=multipliers, blocks=1, latent_channels=32)
    model = build(image_size=size, cell_height=cell, cell_width=cell, taming=taming)
    images = torch.rand(2, 1, size, size)
    codes = model.encode(images)
    assert codes.shape == (2, grid, grid)
    decoded = model.decode(codes)
    assert decoded.shape == images.shape and decoded.min() >= 0 and decoded.max() <= 1


def test_cells_that_the_multipliers_do_not_make_are_refused_with_both() -> None:
    with pytest.raises(ValueError, match=r"make cells of 2 x 2 px, but cell_height is 4 and cell_width is 2"):
        small(cell_height=4)


def test_grey_goes_in_three_times_and_the_mean_comes_out() -> None:
    model = build()
    images = torch.rand(1, 1, 16, 16)
    seen = []
    model.encoder.conv_in.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    output = model(images)
    torch.testing.assert_close(seen[0], (2 * images - 1).repeat(1, 3, 1, 1))
    colours = model.decoder.colours(model.quantizer.codes_to_quantized(output.codes))
    assert colours.shape == (1, 3, 16, 16)
    torch.testing.assert_close(output.reconstruction, (colours.mean(1, keepdim=True) + 1) / 2)


def test_any_quantizer_serves_these_networks_and_gradients_reach_the_encoder() -> None:
    model = build(quantizer="fsq", fsq=FSQConfig((3, 3)), taming_codebook=TamingCodebookConfig()).train()
    model(torch.rand(1, 1, 16, 16)).reconstruction.mean().backward()
    assert model.encoder.conv_in.weight.grad.abs().sum() > 0
    assert model.encoder.to_codebook.out_channels == 2
    outer = {id(layer.weight) for layer in (*model.encoder.outer_layers, *model.decoder.outer_layers)}
    assert not outer & {id(weight) for weight in model.inner_weights()}


def test_one_channel_is_enough_where_weights_are_ones_own() -> None:
    taming = TamingConfig(channels=32, multipliers=(1, 2), blocks=1, latent_channels=32, image_channels=1)
    model = build(taming=taming)
    assert model.encoder.conv_in.in_channels == model.decoder.conv_out.out_channels == 1
    assert model.decode(model.encode(torch.rand(1, 1, 16, 16))).shape == (1, 1, 16, 16)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 48}, "taming.channels must be a multiple of 32, got 48"),
        ({"multipliers": ()}, r"taming.multipliers must be at least 1 each, got \(\)"),
        ({"blocks": 0}, "taming.blocks must be at least 1, got 0"),
    ],
)
def test_impossible_networks_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TamingConfig(**settings)
