"""Refuse NaN and infinity in weights and in what networks compute, naming the weight."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from vqgan.errors import UserError


def check_weights(module: nn.Module, where: object) -> None:
    """Raise UserError naming the first weight of a network, loaded from `where`, that is not finite."""
    if damage := find_damage([module]):
        raise UserError(f"{where}: expected finite weights, found {damage}; copy or train it again")


def check_finite(values: Tensor, what: str, networks: Iterable[nn.Module]) -> None:
    """Raise UserError where what the networks computed is not finite, naming the weight that caused it."""
    if torch.isfinite(values).all():
        return
    cause = find_damage(networks) or "all weights finite, so that numbers overflowed on the way"
    raise UserError(f"{what} are not finite numbers: expected finite weights and settings, found {cause}")


def find_damage(networks: Iterable[nn.Module]) -> str:
    """Describe the first weight that is not finite, "" for none."""
    for network in networks:
        for name, weight in network.state_dict().items():
            if weight.is_floating_point() and not torch.isfinite(weight).all():
                broken = int((~torch.isfinite(weight)).sum())
                return f"NaN or infinity in {broken} of {weight.numel()} numbers of weight {name!r}"
    return ""
