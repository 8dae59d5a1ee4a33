"""The names of taming-transformers, both ways; whole checkpoints are in test_convert."""

import pytest

from vqgan.errors import UserError
from vqgan.foreign.taming.names import (
    from_taming_name,
    from_taming_settings,
    to_taming_name,
    to_taming_settings,
)

SETTINGS = {
    "model": {
        "params": {
            "n_embed": 16,
            "embed_dim": 4,
            "ddconfig": {
                "z_channels": 8,
                "resolution": 32,
                "in_channels": 3,
                "out_ch": 3,
                "ch": 32,
                "ch_mult": [1, 2],
                "num_res_blocks": 1,
                "attn_resolutions": [16],
            },
        }
    }
}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("quantize.embedding.weight", "quantizer.vectors"),
        ("encoder.down.0.block.1.norm1.weight", "encoder.levels.0.blocks.1.norm1.weight"),
        ("decoder.mid.attn_1.proj_out.bias", "decoder.middle.1.output.bias"),
        ("post_quant_conv.weight", "decoder.from_codebook.weight"),
    ],
)
def test_names_of_weights_are_told_both_ways(theirs: str, ours: str) -> None:
    assert from_taming_name(theirs) == ours and to_taming_name(ours) == theirs


def test_settings_are_told_both_ways() -> None:
    config = from_taming_settings(SETTINGS)
    assert (config.grid, config.codebook_size, config.taming.attention_sides) == ((16, 16), 16, (16,))
    written = to_taming_settings(config)["model"]["params"]
    assert (
        written["n_embed"] == 16
        and SETTINGS["model"]["params"]["ddconfig"].items() <= written["ddconfig"].items()
    )


def test_attention_stays_in_its_layers_for_images_of_another_size() -> None:
    assert from_taming_settings(SETTINGS, image_size=64).taming.attention_sides == (32,)


def test_a_setting_that_is_missing_is_named() -> None:
    with pytest.raises(UserError, match="expected a setting params, found target"):
        from_taming_settings({"model": {"target": "VQModel"}})
