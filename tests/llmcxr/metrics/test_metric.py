from dataclasses import dataclass

import numpy as np
import pytest

from llmcxr.metrics.metric import Inputs, Score, score, score_all


@dataclass(frozen=True)
class MeanLength:
    """Letters of a report."""

    name: str = "length"
    inputs: tuple[str, ...] = ("candidates",)
    resamples: int = 100

    def rows(self, inputs):
        return np.array([len(text) for text in inputs.candidates], float)

    def value(self, rows):
        return float(rows.mean()) if len(rows) > 1 else None


INPUTS = Inputs(["a", "a", "b", "b"], candidates=["x", "xx", "xxx", "xxxx"])


def test_value_and_interval_over_patients():
    result = score(MeanLength(), INPUTS)
    assert (result.name, result.value, result.n, result.note) == ("length", 2.5, 4, "")
    # two patients: a resample has a twice (1.5), both (2.5) or b twice (3.5)
    assert result.interval == (1.5, 3.5)


def test_the_seed_decides_the_interval():
    many = Inputs([str(i) for i in range(50)], candidates=["x" * i for i in range(50)])
    intervals = [score(MeanLength(), many, seed).interval for seed in (1, 1, 2)]
    assert intervals[0] == intervals[1] != intervals[2]


def test_no_resamples_no_interval():
    assert score(MeanLength(resamples=0), INPUTS) == Score("length", 2.5, None, 4)


def test_undefined_says_so():
    result = score(MeanLength(), Inputs(["a"], candidates=["x"]))
    assert result == Score("length", None, None, 1, "undefined for these studies")


def test_missing_inputs_are_named():
    metric = MeanLength(inputs=("references", "candidates", "reference_labels"))
    with pytest.raises(ValueError, match="length needs references, reference_labels"):
        score(metric, INPUTS)


def test_score_all_leaves_out_what_cannot_be_judged():
    metrics = [MeanLength("first"), MeanLength("second", ("real_features",)), MeanLength("third")]
    assert [one.name for one in score_all(metrics, INPUTS)] == ["first", "third"]
    assert INPUTS.have(("patients", "candidates")) and not INPUTS.have(("references",))


def test_inputs_have_one_row_for_each_study():
    with pytest.raises(ValueError, match="1 candidates for 2 studies"):
        Inputs(["a", "b"], candidates=["x"])
    with pytest.raises(ValueError, match="3 reference_labels for 2 studies"):
        Inputs(["a", "b"], reference_labels=np.zeros((3, 5)))
    Inputs(["a", "b"], findings=("edema",))  # findings are columns
