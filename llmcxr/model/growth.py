"""Expand the depth of a trained model without changing what it computes: the new layers add nothing until
they are trained.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from llmcxr.model.bases import Family, find_family
from llmcxr.model.unified import UnifiedModel


@torch.no_grad()
def expand_depth(model: UnifiedModel, num_layers: int) -> UnifiedModel:
    """Put copies of each layer behind it until there are `num_layers`, their output matrices zero (block
    expansion: Wu et al. 2024, arXiv 2401.02415, sec. 3.2). Changes and returns `model`.

    Raises ValueError where num_layers is no multiple of the number of layers that there are.
    """
    config, layers = model.decoder.config, model.decoder.layers
    times, rest = divmod(num_layers, len(layers))
    if rest or times < 1:
        raise ValueError(f"a model of {len(layers)} layers cannot be expanded to {num_layers}: no multiple")
    family = find_family(config.model_type)
    expanded = [layer if n == 0 else _silent_copy(layer, family) for layer in layers for n in range(times)]
    for index, layer in enumerate(expanded):
        layer.self_attn.layer_idx = index  # where its keys and values stand in a cache
    model.decoder.layers = nn.ModuleList(expanded)
    config.num_hidden_layers = num_layers
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[index // times] for index in range(num_layers)]
    return model


def _silent_copy(layer: nn.Module, family: Family) -> nn.Module:
    twin = copy.deepcopy(layer)
    for name in family.block_outputs:
        twin.get_submodule(name).weight.zero_()
    return twin
