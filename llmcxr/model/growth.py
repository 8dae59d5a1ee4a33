"""Deepen a trained model without changing what it says: new layers add nothing until they are trained."""

from __future__ import annotations

import copy

import torch
from torch import nn

from llmcxr.model.unified import UnifiedModel


@torch.no_grad()
def deepen(model: UnifiedModel, num_layers: int) -> UnifiedModel:
    """Behind each layer of a Llama, as many copies as make `num_layers`, their output matrices zero (block
    expansion: Wu et al. 2024, arXiv 2401.02415, sec. 3.2). Changes and returns `model`.

    Raises ValueError where num_layers is no multiple of the layers that there are.
    """
    config, layers = model.decoder.config, model.decoder.layers
    times, rest = divmod(num_layers, len(layers))
    if rest or times < 1:
        raise ValueError(f"a model of {len(layers)} layers cannot be deepened to {num_layers}: no multiple")
    deeper = [layer if n == 0 else _silent_copy(layer) for layer in layers for n in range(times)]
    for place, layer in enumerate(deeper):
        layer.self_attn.layer_idx = place  # the place of its keys and values in a cache
    model.decoder.layers = nn.ModuleList(deeper)
    config.num_hidden_layers = num_layers
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[place // times] for place in range(num_layers)]
    return model


def _silent_copy(layer: nn.Module) -> nn.Module:
    twin = copy.deepcopy(layer)
    twin.self_attn.o_proj.weight.zero_()
    twin.mlp.down_proj.weight.zero_()
    return twin
