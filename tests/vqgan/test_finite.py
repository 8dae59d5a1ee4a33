"""NaN and infinity in weights, or in what comes of them, are named."""

import pytest
import torch
from torch import nn

from tests.vqgan.test_model import build
from vqgan import VQGAN
from vqgan.errors import UserError
from vqgan.finite import check_finite, check_weights, find_damage


def net(value=None):
    layers = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    if value is not None:
        layers[1].weight.data[0, 1] = value
    return layers


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_broken_weight_is_named_with_its_count(value):
    with pytest.raises(UserError, match=r"a/model: .* in 1 of 3 numbers of weight '1.weight'"):
        check_weights(net(value), "a/model")
    check_weights(net(), "a/model")
    assert find_damage([net(), net(value)]).endswith("'1.weight'") and find_damage([net()]) == ""


def test_numbers_that_overflow_are_told_from_broken_weights():
    values = torch.tensor([1.0, torch.inf])
    with pytest.raises(UserError, match=r"the scores are not finite numbers.*overflowed"):
        check_finite(values, "the scores", [net()])
    with pytest.raises(UserError, match=r"the scores are not finite numbers.*'1.weight'"):
        check_finite(values, "the scores", [net(float("nan"))])
    check_finite(values[:1], "the scores", [net(float("nan"))])


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_a_tokenizer_with_a_broken_weight_neither_encodes_nor_decodes_what_passes_it(part, tmp_path):
    tokenizer = build()
    next(getattr(tokenizer, part).parameters()).data[0] = torch.nan
    size = tokenizer.config.image_size
    with pytest.raises(UserError, match=f"weight '{part}"):
        if part == "encoder":
            tokenizer.encode(torch.zeros(1, 1, size, size))
        else:
            tokenizer.decode(torch.zeros(1, *tokenizer.config.grid, dtype=torch.long))
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=f"model.safetensors: .*weight '{part}"):
        VQGAN.from_pretrained(tmp_path)
