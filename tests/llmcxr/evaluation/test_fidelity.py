import numpy as np
import pytest
import torch

from llmcxr.data.phantom import PhantomDataset
from llmcxr.evaluation.fidelity import code_statistics, tokenizer_fidelity
from tests.llmcxr.evaluation.fakes import KnowingEvaluator, NumberedPhantoms


class PassingTokenizer(torch.nn.Module):
    """Keeps images as they are, but for `dimmed`, and calls every cell code 0 or 1."""

    def __init__(self, size, dimmed=1.0):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.dimmed = dimmed
        self.config = type("Config", (), {"image_size": size, "codebook_size": 4})

    def encode(self, images):
        self.images = images
        return (torch.arange(len(images) * 4) % 2).view(len(images), 2, 2)

    def decode(self, codes):
        return self.images * self.dimmed


def test_code_statistics_by_hand():
    assert code_statistics(np.array([[0, 1], [2, 3]]), 8) == {
        "codes_used": 4,
        "codebook_size": 8,
        "perplexity": pytest.approx(4),
    }


def test_a_perfect_tokenizer_loses_nothing():
    phantoms = NumberedPhantoms(40)
    result = tokenizer_fidelity(PassingTokenizer(16), phantoms, 40, KnowingEvaluator(phantoms), batch_size=7)
    assert (result["psnr"], result["ssim"]) == (100, pytest.approx(1))
    assert (result["codes_used"], result["perplexity"]) == (2, pytest.approx(2))
    assert result["survival_macro"] == 1.0


def test_what_is_lost_shows():
    phantoms = NumberedPhantoms(40)
    lossy = PassingTokenizer(16, dimmed=0.0)  # every picture becomes phantom 0
    result = tokenizer_fidelity(lossy, phantoms, 40, KnowingEvaluator(phantoms))
    assert result["survival_macro"] < 0.5


def test_without_an_evaluator_findings_are_left_out():
    result = tokenizer_fidelity(PassingTokenizer(32, dimmed=0.9), PhantomDataset(3, 5), 3)
    assert "findings" not in result
    assert 15 < result["psnr"] < 35
