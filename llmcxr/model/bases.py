"""List what a training must know of a family of language models beyond its Hugging Face configuration: one
entry a family.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

OURS = ("image_table", "image_head", "heads.")  # embeddings and probes that this package adds to a model


@dataclass(frozen=True)
class Family:
    """Describes a family of models. embeddings: parts of the names of its parameters that hold one vector a
    token.

    block_outputs: the matrices of a layer whose products are added to the hidden states.
    dtype: that its weights are trained in.
    """

    embeddings: tuple[str, ...]
    block_outputs: tuple[str, ...]
    dtype: torch.dtype = torch.float32


# by the `model_type` of a Hugging Face configuration
FAMILIES = {"llama": Family(embeddings=("embed",), block_outputs=("self_attn.o_proj", "mlp.down_proj"))}


def find_family(model_type: str) -> Family:
    """Find the entry of a model type; one without is treated as Llama, whose names most families share."""
    return FAMILIES.get(model_type, FAMILIES["llama"])


def split_decayed(model: nn.Module, family: Family) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Split off the matrices inside the layers, which weight decay (or Muon) is for, from all others.

    Embeddings, norms, biases and probes are among the others.
    """
    matrices, rest = [], []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim > 1 and not any(part in name for part in (*family.embeddings, *OURS))
        (matrices if is_matrix else rest).append(parameter)
    return matrices, rest
