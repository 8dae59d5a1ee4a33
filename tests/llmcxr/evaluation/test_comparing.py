from dataclasses import dataclass, replace

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.evaluation.comparing import (
    compare_files,
    compare_systems,
    comparison_table,
    summarise_seeds,
)
from llmcxr.metrics.answers.kinds import KindAccuracy
from llmcxr.metrics.metric import Inputs
from llmcxr.pages.document import to_markdown
from tests.llmcxr.evaluation.fakes import NumberedPhantoms


@dataclass(frozen=True)
class SharedWord:
    """The share of reports that hold one word of the reference."""

    name: str = "word"
    inputs: tuple[str, ...] = ("references", "candidates")
    resamples: int = 200

    def rows(self, inputs):
        pairs = zip(inputs.references, inputs.candidates, strict=True)
        return np.array([float(reference in candidate) for reference, candidate in pairs])

    def value(self, rows):
        return float(rows.mean()) if len(rows) else None


@dataclass(frozen=True)
class Length(SharedWord):
    name: str = "length"
    inputs: tuple[str, ...] = ("candidates",)

    def rows(self, inputs):
        return np.array([float(len(candidate)) for candidate in inputs.candidates])


PATIENTS = [f"p{i}" for i in range(20)]
ALL = Inputs(PATIENTS, references=["effusion"] * 20, candidates=["effusion."] * 20)
HALF = replace(ALL, candidates=["effusion.", "clear."] * 10)
NONE = replace(ALL, candidates=["clear."] * 20)


def test_a_difference_is_told_with_its_interval_and_p():
    better, worse, same = (compare_systems([SharedWord()], ALL, other)[0] for other in (NONE, HALF, ALL))
    assert (better.first, better.second, better.difference, better.interval) == (1, 0, 1, (1, 1))
    assert better.p < 0.01
    assert worse.difference == 0.5 and worse.interval[0] > 0 and worse.p < 0.01
    assert same.difference == 0 and same.p == 1
    reverse = compare_systems([SharedWord()], NONE, ALL)[0]
    assert reverse.difference == -1 and reverse.p == better.p


def test_metrics_without_their_inputs_are_left_out():
    assert compare_systems([SharedWord(), KindAccuracy()], ALL, replace(NONE, candidates=None)) == []


def test_the_studies_must_be_the_same():
    with pytest.raises(ValueError, match="whose patients differ"):
        compare_systems([SharedWord()], ALL, replace(NONE, patients=PATIENTS[::-1]))


def test_comparison_table():
    table = comparison_table(("ours", "theirs"), compare_systems([SharedWord()], ALL, NONE))
    lines = to_markdown([table]).split("\n")
    assert lines[0] == "| metric | ours | theirs | difference (95%) | p |"
    assert lines[2] == "| word | 1.000 | 0.000 | 1.000 (1.000-1.000) | 0.001 |"


DATASET = NumberedPhantoms(4)


def write_csv(path, header, rows):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_two_files_of_reports(tmp_path):
    first = write_csv(tmp_path / "a.csv", "id,report", [f"{i},clear" for i in range(4)])
    second = write_csv(tmp_path / "b.csv", "id,report", [f"{i}," for i in (3, 1, 2, 0)])
    (one,) = compare_files(first, second, DATASET, [Length(), KindAccuracy()], resamples=50).json[
        "comparisons"
    ]
    assert (one["name"], one["first"], one["second"]) == ("length", 5, 0)


def test_two_files_of_answers(tmp_path):
    asked = [
        (i, question)
        for i in range(4)
        for question in DATASET.texts(i, np.random.default_rng(np.random.SeedSequence((0, i)))).questions
    ]
    header = "id,question,answer"
    right = write_csv(tmp_path / "a.csv", header, [f'{i},"{q.question}","{q.answer}"' for i, q in asked])
    wrong = write_csv(tmp_path / "b.csv", header, [f'{i},"{q.question}",what?' for i, q in asked])
    (one,) = compare_files(right, wrong, DATASET, [KindAccuracy(), Length()], resamples=50).json[
        "comparisons"
    ]
    assert (one["name"], one["first"], one["second"]) == ("all accuracy", 1, 0)


def test_files_that_share_nothing_or_miss_a_study(tmp_path):
    reports = write_csv(tmp_path / "a.csv", "id,report", ["0,clear"])
    answers = write_csv(tmp_path / "b.csv", "id,question,answer", ["0,View?,PA."])
    with pytest.raises(UserError, match="found neither"):
        compare_files(reports, answers, DATASET, [Length()])
    with pytest.raises(UserError, match="none for 3 of 4"):
        compare_files(reports, reports, DATASET, [Length()])
    assert (
        compare_files(reports, reports, DATASET, [Length()], n=1, resamples=10).json["comparisons"][0][
            "difference"
        ]
        == 0
    )


def test_seeds_are_told_beside_the_interval_over_patients():
    (one,) = summarise_seeds([SharedWord(), KindAccuracy()], [ALL, HALF, NONE])
    assert one.values == (1, 0.5, 0) and (one.mean, one.low, one.high) == (0.5, 0, 1)
    # of three seeds only one depends on the patients: the mean moves a third as far as that one
    assert 0.33 < one.interval[0] < 0.5 < one.interval[1] < 0.67
    assert one.deviation == 0.5


def test_a_value_that_one_seed_lacks():
    class Undefined(SharedWord):
        def value(self, rows):
            return None if rows.sum() == 0 else 1.0

    (one,) = summarise_seeds([Undefined()], [ALL, NONE])
    assert one.values == (1.0, None) and one.mean is None and one.interval is None


def test_seeds_need_runs_on_the_same_studies():
    with pytest.raises(ValueError, match="at least one seed"):
        summarise_seeds([SharedWord()], [])
    with pytest.raises(ValueError, match="whose patients differ"):
        summarise_seeds([SharedWord()], [ALL, Inputs(["x"], references=["a"], candidates=["a"])])
