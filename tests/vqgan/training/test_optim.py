import math

import pytest
import torch

from vqgan.errors import UserError
from vqgan.training.optim import OptimConfig, build_optimizer, learning_rate_share


def test_a_cosine_after_the_warm_up_by_hand() -> None:
    config = OptimConfig(warmup_steps=2, final_learning_rate=0.2)
    rates = [learning_rate_share(step, 6, config) for step in range(7)]
    half_cosine = [0.2 + 0.8 * (1 + math.cos(math.pi * quarter / 4)) / 2 for quarter in range(5)]
    assert rates == pytest.approx([0.5, 1.0, *half_cosine])


def test_the_rate_warms_up_stays_and_decays() -> None:
    config = OptimConfig(warmup_steps=10, decay="linear", decay_share=0.5, final_learning_rate=0.02)
    rates = {step: learning_rate_share(step, 100, config) for step in (0, 10, 50, 75, 100)}
    assert rates == {0: 0.1, 10: 1, 50: 1, 75: 0.5, 100: 0.02}


def test_a_full_cosine_falls_during_the_warm_up_too() -> None:
    config = OptimConfig(warmup_steps=60, decay="full_cosine", final_learning_rate=0)
    for step in (0, 30, 59, 60, 1000, 1999):
        expected = min(1.0, (step + 1) / 60) * 0.5 * (1 + math.cos(math.pi * step / 2000))
        assert learning_rate_share(step, 2000, config) == pytest.approx(expected, abs=1e-12)


def test_a_rate_can_stay() -> None:
    config = OptimConfig(warmup_steps=0, final_learning_rate=1)
    assert {learning_rate_share(step, 9, config) for step in range(9)} == {1.0}


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(UserError, match="decay must be one of cosine, full_cosine, linear, got 'step'"):
        OptimConfig(decay="step")
    with pytest.raises(UserError, match="decay_share must be at least 0 and at most 1, got 2"):
        OptimConfig(decay_share=2)


@pytest.mark.parametrize(("muon", "groups"), [(0.02, [True, False, False]), (0.0, [False, False])])
def test_muon_takes_the_matrices_where_it_has_a_rate(muon: float, groups: list[bool]) -> None:
    matrix, embedding, bias = (torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 2), (3, 2), (2,)))
    optimizer = build_optimizer(OptimConfig(muon_learning_rate=muon), [matrix], [embedding], [bias])
    assert [group["is_matrix"] for group in optimizer.param_groups] == groups
    assert optimizer.param_groups[-1]["weight_decay"] == 0
    assert {group["initial_lr"] for group in optimizer.param_groups} <= {muon, 2.5e-3}
