"""What the heads that tell findings by cell take a loss on, and how much."""

import math

import pytest
import torch

from llmcxr.model.finding_maps import FindingMapHeads

# a row of two text tokens, a read cell, a text token, and two drawn cells
IS_IMAGE = torch.tensor([[False, False, True, False, True, True]])
IS_RESPONSE = torch.tensor([[False, False, False, False, True, True]])


def losses_of(heads, hidden, finding_map):
    return heads.losses(hidden, IS_IMAGE, IS_RESPONSE, finding_map)


def test_predicting_the_base_rates_scores_one_for_each_cell():
    rates = torch.tensor([0.5, 0.1])
    heads = FindingMapHeads(4, rates)
    for head in (heads.drawn, heads.read):
        torch.nn.init.zeros_(head.weight)
        head.bias.data = torch.logit(rates)
    sums = losses_of(heads, torch.randn(1, 6, 4), rates.expand(1, 6, 2))
    (drawn, num_drawn), (read, num_read) = sums["drawn_finding_map"], sums["read_finding_map"]
    assert num_drawn == 2 and num_read == 1
    assert drawn.item() == pytest.approx(2) and read.item() == pytest.approx(1)


def test_the_loss_by_hand():
    heads = FindingMapHeads(2, torch.tensor([0.5]))  # of entropy log 2
    for head in (heads.drawn, heads.read):
        head.weight.data, head.bias.data = torch.tensor([[1.0, 0.0]]), torch.zeros(1)
    hidden = torch.tensor([[[0.0, 5.0]] * 3 + [[5.0, 0.0], [-5.0, 0.0], [0.0, 5.0]]])
    finding_map = torch.tensor([[[0.0], [0.0], [1.0], [0.0], [1.0], [0.0]]])
    sums = losses_of(heads, hidden, finding_map)
    # of states of root mean square 1: the cell read has score 0, the cells drawn +-sqrt 2, both right
    assert sums["read_finding_map"][0].item() == pytest.approx(1)
    right = math.log1p(math.exp(-math.sqrt(2)))
    assert sums["drawn_finding_map"][0].item() == pytest.approx(2 * right / math.log(2), rel=1e-4)


def test_drawn_cells_are_told_from_what_stands_before_and_read_ones_from_their_own_place():
    heads = FindingMapHeads(4, torch.tensor([0.3]))
    hidden, finding_map = torch.randn(1, 6, 4, requires_grad=True), torch.rand(1, 6, 1)
    for name, places in (("drawn_finding_map", [3, 4]), ("read_finding_map", [2])):
        (gradient,) = torch.autograd.grad(losses_of(heads, hidden, finding_map)[name][0], hidden)
        assert gradient[0].abs().sum(-1).nonzero().flatten().tolist() == places


def test_a_finding_that_is_never_there_has_no_infinite_loss():
    sums = losses_of(FindingMapHeads(4, torch.tensor([0.0])), torch.randn(1, 6, 4), torch.zeros(1, 6, 1))
    assert math.isfinite(sums["drawn_finding_map"][0].item())
