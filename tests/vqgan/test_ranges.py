"""Numbers that overflow or vanish are refused by the name of their setting."""

from dataclasses import dataclass, field

import pytest

from vqgan.errors import UserError
from vqgan.ranges import check_between, check_numbers


@dataclass
class Inner:
    rate: float = 1e-3
    shares: tuple = (0.5, 0.0)
    is_on: bool = True


@dataclass
class Outer:
    seed: int = 2**63 - 1
    size: int = 10**9
    inner: Inner = field(default_factory=Inner)
    weights: dict = field(default_factory=dict)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Outer(seed=2**63), "seed must be between 0 and"),
        (Outer(seed=-1), "seed must be between 0 and"),
        (Outer(size=10**12), "size must be at most 1000000000, got 1000000000000"),
        (Outer(inner=Inner(rate=1e40)), "inner.rate must be 0 or between 1e-15 and 1e"),
        (Outer(inner=Inner(rate=1e-300)), "inner.rate must be 0 or between"),
        (Outer(inner=Inner(rate=float("nan"))), "inner.rate must be .* got nan"),
        (Outer(inner=Inner(shares=(0.5, float("inf")))), r"inner.shares\[1\] must be"),
        (Outer(weights={"edge": -1e40}), "weights.edge must be"),
    ],
)
def test_what_is_out_of_range_is_named(settings, message):
    with pytest.raises(UserError, match=message):
        check_numbers(settings)


def test_numbers_in_range_pass():
    check_numbers(Outer(weights={"edge": -2.5, "none": None}))
    check_numbers(Outer(), "training")


@pytest.mark.parametrize("value", [-1, 3, float("nan"), float("inf")])
def test_a_number_is_between_its_ends(value):
    check_between("share", 2, 0, 2)
    with pytest.raises(UserError, match="share must be at least 0 and at most 2, got"):
        check_between("share", value, 0, 2)
    with pytest.raises(UserError, match="rate must be at least 0, got inf"):
        check_between("rate", float("inf"), 0)
