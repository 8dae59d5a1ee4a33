import json

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.data import open_dataset
from llmcxr.data.dataset import StudyDataset
from llmcxr.data.openi import _parse_tags
from llmcxr.evaluation.labeler_score import is_held_out, micro_f1, score_labeler
from llmcxr.labeler.states import LABEL_STATES
from llmcxr.records import Label, Report, Study


def _study(number: int, findings: str, *tags: str) -> Study:
    name = f"CXR{number}"
    return Study(name, name, (), Report(findings=findings), _parse_tags(list(tags)))


DATASET = StudyDataset(
    [
        _study(1, "The lungs are clear.", "normal"),
        _study(2, "Small left effusion.", "Pleural Effusion/left"),
        _study(3, "Possible effusion.", "Pleural Effusion/left"),  # missed as uncertain
        _study(4, "No effusion. Rib fracture.", "normal"),  # a claim without a tag
        _study(5, "Borderline cardiomegaly.", "Cardiomegaly/borderline"),  # not judged
        _study(6, "", "normal"),  # no report
        _study(7, "Cardiomegaly.", "No Indexing"),  # no tags
    ]
)


def test_score_of_a_small_dataset():
    scores = score_labeler(DATASET, resamples=0).json
    # Hits: 1 No Finding, 2 effusion. Missed: 3 effusion, 4 No Finding. Claimed: 4 fracture.
    assert (scores["n"], scores["left_out"]) == (5, 2)
    assert scores["micro_f1"] == pytest.approx(4 / 7)
    assert scores["tuned_micro_f1"] == pytest.approx(2 / 4)  # 2 and 4
    assert scores["held_out_micro_f1"] == pytest.approx(2 / 3)  # 1, 3 and 5
    assert scores["micro_f1_with_uncertain"] == pytest.approx(6 / 8)
    assert scores["reports_per_second"] > 0
    effusion = scores["findings"]["Pleural Effusion"]
    assert (effusion["recall"], effusion["precision"], effusion["support"]) == (0.5, 1.0, 2)
    assert effusion["errors"]["missed_as_uncertain"] == 1
    assert scores["findings"]["Fracture"]["errors"]["claimed_without_tag"] == 1
    assert scores["findings"]["Fracture"]["f1"] is None and scores["findings"]["Cardiomegaly"]["support"] == 0
    json.dumps(scores)


def test_intervals_hold_the_score():
    scores = score_labeler(DATASET, resamples=20).json
    low, high = scores["micro_f1_interval"]
    assert low <= scores["micro_f1"] <= high


def test_uncertain_truth_is_left_out():
    present, absent, uncertain = (
        LABEL_STATES[state] for state in (Label.PRESENT, Label.ABSENT, Label.UNCERTAIN)
    )
    truth = np.array([[present, uncertain], [absent, absent]])
    assert micro_f1(truth, np.array([[present, present], [absent, absent]])) == 1.0


def test_the_held_out_half():
    assert is_held_out("CXR3999") and not is_held_out("CXR10") and not is_held_out("nobody")


def test_a_dataset_without_tags_is_refused():
    untagged = StudyDataset([_study(1, "Clear lungs.", "No Indexing")])
    with pytest.raises(UserError, match="expected Open-i's tags"):
        score_labeler(untagged)


def test_agrees_with_the_indexers_of_openi(shared_data):
    place = shared_data / "openi"
    if not place.is_dir():
        pytest.skip("needs Open-i's reports in openi/ of the shared data")
    scores = score_labeler(open_dataset(f"openi:{place}"), resamples=0).json
    assert scores["n"] > 3800
    assert scores["micro_f1"] >= 0.85
    assert scores["held_out_micro_f1"] >= 0.85
    assert scores["micro_f1_without_no_finding"] >= 0.85
