"""The parts of the `cxr` architecture, with shapes and values worked by hand."""

from __future__ import annotations

import pytest
import torch

from vqgan.errors import UserError
from vqgan.layers import CXRConfig, Decoder, Encoder, GridAttention, ResidualBlock, Upsample

NARROW = CXRConfig(stem_channels=8, grid_channels=16, level_blocks=1, grid_blocks=1, num_heads=2)


def test_strides_lead_from_the_stem_to_cells_of_any_sides() -> None:
    # The stem folds 4 x 4 pixels: a cell of 8 x 16 is halved once more in rows, twice in columns.
    assert CXRConfig().strides((8, 16)) == [(2, 2), (1, 2)]
    assert CXRConfig().strides((16, 4)) == [(2, 1), (2, 1)]
    assert CXRConfig().strides((4, 4)) == []


def test_channels_grow_geometrically_in_multiples_of_8() -> None:
    assert CXRConfig(stem_channels=16, grid_channels=64).channels(2) == [16, 32, 64]
    assert CXRConfig(stem_channels=32, grid_channels=96).channels(2) == [32, 56, 96]  # 55.4 in the middle
    assert CXRConfig(grid_channels=96).channels(0) == [96]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"grid_channels": 20}, "grid_channels must be a multiple of 8, got 20"),
        ({"patch": 0}, "patch must be at least 1, got 0"),
        ({"patch": -4}, "patch must be at least 1, got -4"),
        ({"grid_blocks": 0}, "grid_blocks must be at least 1, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        CXRConfig(**settings)


def test_cells_must_be_the_patch_times_a_power_of_two() -> None:
    CXRConfig().check_cells(8, 32)
    with pytest.raises(UserError, match="cell_height 12 must be patch 4 times a power of two"):
        CXRConfig().check_cells(12, 8)


@pytest.mark.parametrize("cell", [(4, 4), (8, 16), (16, 8)])
def test_the_decoder_mirrors_the_encoder(cell: tuple[int, int]) -> None:
    grid = (32 // cell[0], 32 // cell[1])
    latents = Encoder(NARROW, grid, cell, codebook_dim=3)(torch.rand(2, 1, 32, 32))
    assert latents.shape == (2, 3, *grid)
    assert Decoder(NARROW, grid, cell, codebook_dim=3)(latents).shape == (2, 1, 32, 32)


def test_blocks_and_attention_begin_as_the_identity() -> None:
    x = torch.randn(2, 8, 4, 2)
    assert torch.equal(ResidualBlock(8)(x), x)
    assert torch.equal(GridAttention(8, (4, 2), num_heads=2)(x), x)


def test_attention_reaches_every_cell() -> None:
    torch.manual_seed(0)
    attention = GridAttention(8, (4, 2), num_heads=2)
    torch.nn.init.normal_(attention.output.weight)
    x = torch.randn(1, 8, 4, 2, requires_grad=True)
    attention(x)[0, :, 0, 0].sum().backward()
    assert (x.grad.abs().sum(1) > 0).all()


def test_channels_that_heads_cannot_share_are_refused() -> None:
    with pytest.raises(UserError, match="8 channels cannot be split over 3 attention heads"):
        GridAttention(8, (4, 2), num_heads=3)


def test_upsampling_lays_channels_out_as_rows_and_columns() -> None:
    layer = Upsample(1, 1, (2, 3))
    torch.nn.init.zeros_(layer.conv.weight)
    layer.conv.bias.data = torch.arange(6.0)  # what each of the 2 x 3 sub-pixels is given
    assert layer(torch.zeros(1, 1, 1, 2))[0, 0].tolist() == [[0, 1, 2, 0, 1, 2], [3, 4, 5, 3, 4, 5]]


def test_outer_layers_are_the_first_and_the_last() -> None:
    encoder, decoder = Encoder(NARROW, (4, 4), (8, 8), 3), Decoder(NARROW, (4, 4), (8, 8), 3)
    assert [layer.in_channels for layer in encoder.outer_layers] == [16, 16]  # 4 x 4 pixels; the grid's
    assert [layer.out_channels for layer in encoder.outer_layers] == [8, 3]
    assert decoder.outer_layers[1].weight is decoder.last_layer
