"""Choose how tokens are sampled and how radiographs are drawn: every setting, its default and its meaning.

The options of `llmcxr draw` and the grid of `evaluate sweep` are made of these. Knows no model.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from llmcxr.common.errors import UserError
from vqgan.ranges import LARGEST_COUNT, LARGEST_SEED, check_between

SMALLEST = 1e-6  # temperature and top-p: what is smaller vanishes beside the rounding of scores
MOST_IMAGES, MOST_CANDIDATES = 1_000_000, 10_000
MOST_GUIDANCE = 1000.0  # scores are multiplied by it, and must not overflow


def check_seed(seed: int) -> int:
    """Return the seed, if a random stream can begin with it. Raises UserError."""
    if not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"seed must be between 0 and {LARGEST_SEED}, got {seed}")
    return int(seed)


@dataclass(frozen=True)
class Sampling:
    """Say how a token is drawn: temperature 0 takes the likeliest; top_k 0 and top_p 1 keep all tokens."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if self.temperature != 0 and not SMALLEST <= self.temperature <= 1 / SMALLEST:
            raise UserError(
                f"temperature must be 0 (the likeliest token) or from {SMALLEST:g} to {1 / SMALLEST:g}, "
                f"got {self.temperature}"
            )
        if not 0 <= self.top_k <= LARGEST_COUNT:
            raise UserError(f"top-k must be 0 (all tokens) or at most {LARGEST_COUNT}, got {self.top_k}")
        if not SMALLEST <= self.top_p <= 1:
            raise UserError(f"top-p must be at least {SMALLEST:g} and at most 1, got {self.top_p}")


GREEDY = Sampling(temperature=0.0)


def _setting(default: float, about: str, least: int = 0, most: int | None = None) -> Any:
    return field(default=default, metadata={"help": about, "min": least, "max": most})


@dataclass(frozen=True)
class DrawSettings:
    """Say how `n` radiographs are drawn of each text. Raises UserError for a value outside its range."""

    n: int = _setting(1, "How many to draw, with seeds SEED, SEED+1, ...", least=1)
    seed: int = _setting(0, "The same seed gives the same result.")
    best_of: int = _setting(1, "Draw this many for each, keep the one whose reading fits best.", least=1)
    guidance: float = _setting(2.0, "How closely to follow the text; 1 is plain.")
    side_guidance: float = _setting(1.0, "How strongly to keep left and right apart; 0 is off.")
    temperature: float = _setting(0.8, "0 draws the likeliest, more varies.")
    top_k: int = _setting(0, "Choose among this many codes; 0 is all.")
    top_p: float = _setting(1.0, "Choose among this much probability.", most=1)

    def __post_init__(self) -> None:
        check_between("the number of images, n,", self.n, 1, MOST_IMAGES)
        check_between("best-of", self.best_of, 1, MOST_CANDIDATES)
        for name in ("guidance", "side_guidance"):
            check_between(name, getattr(self, name), 0, MOST_GUIDANCE)
        _ = self.sampling  # checks its part
        for seed in (self.seed, self.seed + self.n - 1):
            check_seed(seed)

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.temperature, self.top_k, self.top_p)

    def recipe(self, seed: int) -> dict[str, Any]:
        """Return the settings of one of the drawings, without their number."""
        settings = {**asdict(self), "seed": seed}
        del settings["n"]
        return settings
