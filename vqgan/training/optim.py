"""Decide how weights move: the optimizer, its settings, the learning rate of a step. Knows no network."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from vqgan.errors import UserError
from vqgan.ranges import check_between
from vqgan.training.muon import MuonAdamW

DECAYS = ("cosine", "full_cosine", "linear")
LARGEST_RATE = 100.0  # above, a step throws every weight away


@dataclass(frozen=True)
class OptimConfig:
    """Holds the settings. The learning rate rises linearly over the warm-up, stays, and falls over the last
    `decay_share` of the steps to `final_learning_rate` of its peak.
    """

    learning_rate: float = 2.5e-3  # of AdamW
    muon_learning_rate: float = 0.02  # of the kernels and matrices inside; 0 leaves them to AdamW
    warmup_steps: int = 40
    decay: str = "cosine"  # or "linear", or "full_cosine", which falls during the warm-up too
    decay_share: float = 1.0  # of the steps, 0..1: the end, over which the rate falls
    final_learning_rate: float = 0.01  # share of the peak
    betas: tuple[float, float] = (0.9, 0.95)  # of AdamW's running means
    weight_decay: float = 0.01
    gradient_clip: float = 1.0  # the longest norm of a gradient; 0 = any
    ema_decay: float = 0.0  # of averaged weights that are validated and saved; 0 = the weights themselves

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        if self.decay not in DECAYS:
            raise UserError(f"decay must be one of {', '.join(DECAYS)}, got {self.decay!r}")
        for name in ("learning_rate", "muon_learning_rate"):
            check_between(name, getattr(self, name), 0, LARGEST_RATE)
        for name in ("decay_share", "final_learning_rate"):
            check_between(name, getattr(self, name), 0, 1)
        for name in ("warmup_steps", "weight_decay", "gradient_clip"):
            check_between(name, getattr(self, name), 0)
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise UserError(f"betas must be two numbers from 0 to below 1, got {self.betas}")
        if not 0 <= self.ema_decay < 1:
            raise UserError(f"ema_decay must be from 0 to below 1, got {self.ema_decay}")


def learning_rate_share(step: int, steps: int, config: OptimConfig) -> float:
    """Return the share of the peak learning rate at `step` of `steps`, counted from 0."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    begin = steps - max(1, round(steps * config.decay_share))
    if config.decay != "full_cosine":
        begin = max(begin, config.warmup_steps)
    progress = max(0.0, (step - begin) / max(1, steps - begin))
    if config.decay == "linear":
        return warm * max(config.final_learning_rate, 1 - progress)
    low = config.final_learning_rate
    return warm * (low + (1 - low) * (1 + math.cos(math.pi * progress)) / 2)


def build_optimizer(
    config: OptimConfig,
    matrices: Iterable[nn.Parameter],
    decayed: Iterable[nn.Parameter],
    plain: Iterable[nn.Parameter],
) -> MuonAdamW:
    """Let Muon take `matrices`, where it has a learning rate, and AdamW `decayed`, and `plain` undecayed."""
    if not config.muon_learning_rate:
        matrices, decayed = [], [*matrices, *decayed]
    return MuonAdamW(
        matrices,
        decayed,
        plain,
        config.muon_learning_rate,
        config.learning_rate,
        config.betas,
        config.weight_decay,
    )
