"""Which study, in what words, is the k-th item: it follows from seed and k, and every study has its turn."""

from dataclasses import replace

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.data import open_dataset
from llmcxr.prompts.parts import to_token_ids
from llmcxr.training.examples import ExampleConfig
from llmcxr.training.step_examples import StepExamples
from tests.llmcxr.model.tiny import tiny_bundle

NUM_STUDIES = 6
CONFIG = ExampleConfig(condition_dropout=0, report_as_request=0, code_mask_share=0, max_length=2000)


@pytest.fixture(scope="module")
def prompts():
    return tiny_bundle().prompt_tokenizer


@pytest.fixture(scope="module")
def dataset():
    return open_dataset(f"phantom:n={NUM_STUDIES},seed=0")


@pytest.fixture
def examples(prompts, dataset):
    """A function that makes them; the codes of study i are all i."""

    def build(config=CONFIG, seed=0, num_items=3 * NUM_STUDIES, known=range(NUM_STUDIES), with_maps=False):
        grid = prompts.vocabulary.grid
        store = {dataset[i].radiographs[0].image_id: np.full((1, *grid), i) for i in known}
        return StepExamples(dataset, store, prompts, config, seed, num_items, with_maps)

    return build


def study_of(prompts, item):
    """The study of an item, told from the codes of its drawing."""
    (_, image), *_ = item["drawing"].turns
    ids = np.array(to_token_ids(image, prompts.vocabulary))[1:-1]
    return int(prompts.vocabulary.to_codes(ids)[0, 0])


def spelled(prompts, item):
    return {name: to_token_ids(one.parts, prompts.vocabulary) for name, one in item.items()}


def test_every_study_comes_once_an_epoch_in_another_order(examples, prompts):
    made = examples()
    order = [study_of(prompts, made[k]) for k in range(len(made))]
    epochs = [order[start : start + NUM_STUDIES] for start in range(0, len(order), NUM_STUDIES)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(NUM_STUDIES))] * 3
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_an_item_follows_from_the_seed_and_its_number_alone(examples, prompts):
    made, again, other = examples(), examples(), examples(seed=1)
    backwards = {k: spelled(prompts, again[k]) for k in reversed(range(len(made)))}
    assert all(spelled(prompts, made[k]) == backwards[k] for k in range(len(made)))
    assert any(spelled(prompts, made[k]) != spelled(prompts, other[k]) for k in range(len(made)))


def test_studies_without_codes_are_left_out(examples, prompts):
    made = examples(known=[1, 4])
    assert {study_of(prompts, made[k]) for k in range(6)} == {1, 4}
    with pytest.raises(UserError, match="no study has an image"):
        examples(known=[])


def test_a_share_of_studies_is_read(examples):
    assert not any("reading" in examples(replace(CONFIG, reading_share=0.0))[k] for k in range(6))
    assert all("reading" in examples()[k] for k in range(6))


def test_what_is_too_long_is_left_out_with_one_warning(examples, caplog):
    made = examples(replace(CONFIG, max_length=5))
    assert [made[k] for k in range(3)] == [{}] * 3
    assert caplog.text.count("more than max_length=5 tokens are left out") == 1
    with pytest.raises(UserError, match="longer than max_length 5; raise it"):
        made.collate([made[0]])


def test_finding_maps_are_those_of_the_study(examples, prompts, dataset):
    made = examples(with_maps=True)
    item = made[0]
    expected = dataset.finding_map(study_of(prompts, item), prompts.vocabulary.grid)  # (F, h, w)
    np.testing.assert_array_equal(item["drawing"].finding_map, expected.reshape(len(expected), -1).T)
    batch = made.collate([item])
    assert set(batch) == {"drawing", "reading"} and batch["drawing"]["finding_map"].shape[2] == len(expected)
    every = [dataset.finding_map(i, prompts.vocabulary.grid) for i in range(NUM_STUDIES)]  # (F, h, w) each
    np.testing.assert_allclose(made.base_rates().numpy(), np.mean(every, (0, 2, 3)), rtol=1e-5)
