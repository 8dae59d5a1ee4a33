"""Muon for kernels and matrices, AdamW for the rest, in one optimizer. Knows no network.

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
    """(m, n) -> about the nearest matrix of the same shape whose singular values are all 1 (0.7-1.2)."""
    a, b, c = NEWTON_SCHULZ
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.mT if is_tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if is_tall else x


class MuonAdamW(torch.optim.Optimizer):
    """Parameters with two or more axes in `matrices` take Muon steps as (first axis, all others); `others`
    AdamW.

    Both learning rates are the groups' `initial_lr`; set each group's `lr` to a schedule's share of it.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        matrix_learning_rate: float,
        learning_rate: float,
        betas: tuple[float, float],
        weight_decay: float,
    ) -> None:
        groups: list[dict[str, Any]] = [
            {"params": list(matrices), "is_matrix": True, "lr": matrix_learning_rate},
            {"params": list(others), "is_matrix": False, "lr": learning_rate},
        ]
        groups = [group | {"initial_lr": group["lr"]} for group in groups if group["params"]]
        super().__init__(groups, {"weight_decay": weight_decay, "betas": betas})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            update = self._muon_update if group["is_matrix"] else self._adamw_update
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.ndim > 1:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update(parameter, group["betas"]), alpha=-group["lr"])

    def _muon_update(self, parameter: Tensor, betas: tuple[float, float]) -> Tensor:
        state = self.state[parameter]
        momentum = state.setdefault("momentum", torch.zeros_like(parameter))
        momentum.lerp_(parameter.grad, 1 - MOMENTUM)
        ahead = parameter.grad.lerp(momentum, MOMENTUM).flatten(1)  # Nesterov's look-ahead
        scale = max(1, ahead.shape[0] / ahead.shape[1]) ** 0.5
        return scale * orthogonalize(ahead).view_as(parameter)

    def _adamw_update(self, parameter: Tensor, betas: tuple[float, float]) -> Tensor:
        """Kingma & Ba 2015, with bias correction."""
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        state["mean"].lerp_(parameter.grad, 1 - betas[0])
        state["square"].lerp_(parameter.grad.square(), 1 - betas[1])
        mean = state["mean"] / (1 - betas[0] ** state["step"])
        square = state["square"] / (1 - betas[1] ** state["step"])
        return mean / (square.sqrt() + 1e-8)
