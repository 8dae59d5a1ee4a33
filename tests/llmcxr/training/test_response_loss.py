"""Sums and counts over tokens and cells, so that a batch in several parts has one loss."""

import numpy as np
import pytest
import torch

from llmcxr.model.finding_maps import FindingMapHeads
from llmcxr.prompts.parts import ImageCodes
from llmcxr.training.examples import Example, collate
from llmcxr.training.response_loss import ResponseLoss
from tests.llmcxr.model.tiny import tiny_bundle

TERMS = {"image_nll": 2.0, "text_nll": 1.0}


@pytest.fixture(scope="module")
def bundle():
    return tiny_bundle()


def batch_of(bundle, *examples):
    return collate(examples, bundle.model.vocabulary, bundle.prompt_tokenizer.end_ids[-1])


def examples_of(bundle, with_map=False):
    """A drawing and a reading of the same image."""
    prompts, vocabulary = bundle.prompt_tokenizer, bundle.model.vocabulary
    image = ImageCodes(np.arange(vocabulary.num_cells).reshape(vocabulary.grid) % 12)
    finding_map = np.full((vocabulary.num_cells, 2), 0.5, np.float32) if with_map else None
    drawing = Example([], [(prompts.prompt("Draw:", "effusion"), prompts.image(image))], finding_map)
    reading = Example([], [(prompts.prompt("Which side?", image), [prompts.response("right")])], finding_map)
    return drawing, reading


@torch.no_grad()
def test_sums_over_parts_of_a_batch_are_the_sums_over_all(bundle):
    loss = ResponseLoss(bundle.model, TERMS)
    drawing, reading = examples_of(bundle)
    whole = loss(drawing=batch_of(bundle, drawing, drawing), reading=batch_of(bundle, reading))
    parts = [loss(drawing=batch_of(bundle, drawing)), loss(drawing=batch_of(bundle, drawing))]
    parts.append(loss(reading=batch_of(bundle, reading)))
    together = {name: tuple(map(sum, zip(*(part[name] for part in parts), strict=True))) for name in TERMS}
    assert whole["image_nll"][1] == 2 * bundle.model.vocabulary.num_cells
    for name in TERMS:
        torch.testing.assert_close(whole[name], together[name], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_finding_maps_add_a_term_for_each_direction(bundle):
    heads = FindingMapHeads(16, torch.tensor([0.5, 0.5]))
    terms = TERMS | {"drawn_finding_map": 1.0, "read_finding_map": 1.0}
    loss = ResponseLoss(bundle.model, terms, heads)
    drawing, reading = examples_of(bundle, with_map=True)
    directions = {"drawing": batch_of(bundle, drawing), "reading": batch_of(bundle, reading)}
    sums = loss(**directions)
    assert loss.count(directions) == {name: int(count) for name, (_, count) in sums.items()}
    assert sums["drawn_finding_map"][1] == sums["read_finding_map"][1] == bundle.model.vocabulary.num_cells
    only_read = loss(reading=batch_of(bundle, reading))
    assert only_read["drawn_finding_map"][1] == only_read["image_nll"][1] == 0
    assert only_read["read_finding_map"][0] == sums["read_finding_map"][0]
