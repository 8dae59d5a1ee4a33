"""Optimize kernels and matrices by Muon and the rest by AdamW, in one optimizer. Knows no network.

Muon (Jordan et al. 2024) makes the momentum of a matrix orthogonal before taking a step, so that all
directions of a layer learn at one pace. Kept in float32: torch.optim.Muon works in bfloat16, which is several
times slower on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # a quintic that drives singular values towards 1 in five steps
NEWTON_SCHULZ_STEPS = 5


def orthogonalize(matrix: Tensor) -> Tensor:
    """Return about the nearest matrix to one (m, n) whose singular values are all 1 (0.7-1.2)."""
    a, b, c = NEWTON_SCHULZ
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.mT if is_tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if is_tall else x


class MuonAdamW(torch.optim.Optimizer):
    """Is AdamW, but that `matrices`, of two axes or more, take Muon steps as (first axis, all others).

    Weights of `matrices` and `decayed` decay, those of `plain` do not. Each group keeps its learning rate as
    `initial_lr`; set its `lr` to a schedule's share of it.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        decayed: Iterable[nn.Parameter],
        plain: Iterable[nn.Parameter],
        matrix_learning_rate: float,
        learning_rate: float,
        betas: tuple[float, float],
        weight_decay: float,
    ) -> None:
        groups: list[dict[str, Any]] = [
            {"params": list(matrices), "is_matrix": True, "lr": matrix_learning_rate},
            {"params": list(decayed), "is_matrix": False, "lr": learning_rate},
            {"params": list(plain), "is_matrix": False, "lr": learning_rate, "weight_decay": 0.0},
        ]
        groups = [group | {"initial_lr": group["lr"]} for group in groups if group["params"]]
        self._adamw = torch.optim.AdamW(groups, betas=betas, weight_decay=weight_decay)
        super().__init__(self._adamw.param_groups, self._adamw.defaults)

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            if group["is_matrix"]:
                self._muon_step(group)
        self._adamw.param_groups = [group for group in self.param_groups if not group["is_matrix"]]
        self._adamw.state = self.state
        self._adamw.step()

    def _muon_step(self, group: dict[str, Any]) -> None:
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            momentum = state.setdefault("momentum", torch.zeros_like(parameter))
            momentum.lerp_(parameter.grad, 1 - MOMENTUM)
            ahead = parameter.grad.lerp(momentum, MOMENTUM).flatten(1)  # (m, n), Nesterov's look-ahead
            scale = max(1, ahead.shape[0] / ahead.shape[1]) ** 0.5
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(scale * orthogonalize(ahead).view_as(parameter), alpha=-group["lr"])
