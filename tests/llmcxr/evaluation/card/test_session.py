import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.evaluation.card.session import CardSettings, Interview
from llmcxr.evaluation.inputs import label_inputs
from llmcxr.metrics.reports.bleu import Bleu
from tests.llmcxr.evaluation.fakes import NumberedPhantoms, PerfectPredictor, Result


class Counting(PerfectPredictor):
    """Knows the truth, and counts by seed how often it was asked for it."""

    def __init__(self, dataset):
        super().__init__(dataset)
        self.seeds = []

    def report(self, images, seed=0):
        self.seeds.append(seed)
        return super().report(images, seed) if seed else [Result("Lungs are clear.")] * len(images)


@pytest.fixture
def view():
    dataset = NumberedPhantoms(3)
    return Interview(Counting(dataset), dataset, CardSettings(n=3, seeds=(0, 5), size=16))


def test_each_seed_is_asked_once_however_often_its_answers_are_needed(view):
    first = view.ask("reports")
    assert view.ask("reports", 0) is first
    assert view.ask_each_seed("reports")[0] is first
    assert view.system.seeds == [0, 5]
    assert first.candidates == ["Lungs are clear."] * 3


def test_studies_are_gathered_without_asking(view):
    assert view.studies.candidates is None and len(view.studies.references) == 3
    assert view.system.seeds == []
    assert [image[0, 0] for image in view.pixels_of(view.studies)] == pytest.approx([0, 1 / 4096, 2 / 4096])


def test_scores_are_of_the_first_seed_and_the_mean_is_over_all(view):
    runs = [
        label_inputs(one.patients, one.references, candidates)
        for one, candidates in ((view.studies, ["Nothing."] * 3), (view.studies, view.studies.references))
    ]
    result = view.score([Bleu(1)], runs)
    assert result["scores"][0]["value"] == 0
    assert result["seeds"][0]["values"] == (0, 1) and result["seeds"][0]["mean"] == 0.5
    assert "seeds" not in view.score([Bleu(1)], runs[:1])


@pytest.mark.parametrize("seeds", [(), (1, 1), (-1,)])
def test_seeds_differ_and_are_not_negative(seeds):
    with pytest.raises(UserError, match="expected different seeds"):
        CardSettings(seeds=seeds)
    assert CardSettings(seeds=(3, 1)).seed == 3 and np.isscalar(CardSettings().seed)
