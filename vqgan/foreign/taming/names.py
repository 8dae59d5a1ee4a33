"""Translate names of weights and settings of taming-transformers, both ways. Knows no files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from vqgan.config import VQGANConfig
from vqgan.errors import UserError
from vqgan.foreign.taming.networks import TamingConfig
from vqgan.quantizers.taming import TamingCodebookConfig

# Parts of a weight's name there and here; no shape differs.
NAMES = (
    (".quantize.embedding.weight", ".quantizer.vectors"),
    (".quant_conv.", ".encoder.to_codebook."),
    (".post_quant_conv.", ".decoder.from_codebook."),
    (".encoder.down.", ".encoder.levels."),
    (".decoder.up.", ".decoder.levels."),
    (".mid.block_1.", ".middle.0."),
    (".mid.attn_1.", ".middle.1."),
    (".mid.block_2.", ".middle.2."),
    (".block.", ".blocks."),
    (".attn.", ".attention."),
    (".q.", ".query."),
    (".k.", ".key."),
    (".v.", ".value."),
    (".proj_out.", ".output."),
    (".nin_shortcut.", ".shortcut."),
    (".downsample.conv.", ".downsample."),
    (".upsample.conv.", ".upsample."),
)
NOT_OF_THE_TOKENIZER = ("loss.", "model_ema.", "colorize")  # training state, and a picture's colours
TARGET = "taming.models.vqgan.VQModel"
BETA = 0.25  # VQModel does not ask


def from_taming_name(name: str) -> str:
    name = f".{name}"
    for theirs, ours in NAMES:
        name = name.replace(theirs, ours)
    return name[1:]


def to_taming_name(name: str) -> str:
    name = f".{name}"
    for theirs, ours in NAMES:
        name = name.replace(ours, theirs)
    return name[1:]


def from_taming_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    kept = {name: weight for name, weight in weights.items() if not name.startswith(NOT_OF_THE_TOKENIZER)}
    return {from_taming_name(name): weight for name, weight in kept.items()}


def to_taming_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {to_taming_name(name): weight for name, weight in weights.items()}


def from_taming_settings(settings: Mapping[str, Any], image_size: int | None = None) -> VQGANConfig:
    """Turn the `model.params` of a YAML file into a config, for images of its `resolution` or `image_size`
    px.

    Raises UserError for a setting that is missing, or that asks for what these networks do not have.
    """
    params = _group(settings, "model", "params")
    network = _group(params, "ddconfig")
    for name, supported in (("double_z", False), ("resamp_with_conv", True)):
        if network.get(name, supported) != supported:
            raise UserError(f"expected ddconfig.{name} to be {supported}, found {network[name]}")
    if params.get("remap") is not None:
        raise UserError(f"expected no remapped codebook, found model.params.remap = {params['remap']}")
    if _need(network, "in_channels") != _need(network, "out_ch"):
        raise UserError(
            f"ddconfig.in_channels is {network['in_channels']}, but out_ch is {network['out_ch']}"
        )
    resolution = _need(network, "resolution")
    image_size = image_size or resolution
    taming = TamingConfig(
        channels=_need(network, "ch"),
        multipliers=tuple(_need(network, "ch_mult")),
        blocks=_need(network, "num_res_blocks"),
        # which layers have attention follows from the training's resolution, whatever images come later
        attention_sides=tuple(side * image_size // resolution for side in _need(network, "attn_resolutions")),
        latent_channels=_need(network, "z_channels"),
        image_channels=network["in_channels"],
    )
    return VQGANConfig(
        image_size=image_size,
        cell_height=taming.cell,
        cell_width=taming.cell,
        architecture="taming",
        taming=taming,
        quantizer="taming",
        taming_codebook=TamingCodebookConfig(_need(params, "n_embed"), _need(params, "embed_dim"), BETA),
    )


def to_taming_settings(config: VQGANConfig) -> dict[str, Any]:
    """Invert `from_taming_settings`, ready for YAML. Raises UserError for a tokenizer that is none of
    taming's.
    """
    if (config.architecture, config.quantizer) != ("taming", "taming"):
        raise UserError(
            "expected a tokenizer of architecture taming with quantizer taming, found architecture "
            f"{config.architecture} with quantizer {config.quantizer}"
        )
    taming, codebook = config.taming, config.taming_codebook
    network = {
        "double_z": False,
        "z_channels": taming.latent_channels,
        "resolution": config.image_size,
        "in_channels": taming.image_channels,
        "out_ch": taming.image_channels,
        "ch": taming.channels,
        "ch_mult": list(taming.multipliers),
        "num_res_blocks": taming.blocks,
        "attn_resolutions": list(taming.attention_sides),
        "dropout": 0.0,
    }
    params = {
        "embed_dim": codebook.codebook_dim,
        "n_embed": codebook.codebook_size,
        "ddconfig": network,
        "lossconfig": {"target": "taming.modules.losses.vqperceptual.DummyLoss"},
    }
    return {"model": {"target": TARGET, "params": params}}


def _group(settings: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for name in path:
        settings = _need(settings, name)
        if not isinstance(settings, Mapping):
            raise UserError(f"expected settings under {name}, found {settings!r}")
    return settings


def _need(settings: Mapping[str, Any], name: str) -> Any:
    if name not in settings:
        raise UserError(f"expected a setting {name}, found {', '.join(map(str, settings)) or 'none'}")
    return settings[name]
