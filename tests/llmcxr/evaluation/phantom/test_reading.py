import pytest

from llmcxr.data.phantom.case import FINDINGS, DrawnFinding, PhantomCase
from llmcxr.evaluation.phantom.reading import evaluate_reading, score_reports
from tests.llmcxr.evaluation.fakes import ConstantPredictor, NumberedPhantoms, PerfectPredictor


@pytest.fixture(scope="module")
def phantoms():
    return NumberedPhantoms(200)


def case_with(*findings, index=0, ratio=0.45):
    return PhantomCase(0, index, findings, ratio, "F", 60, "PA")


def test_the_truth_scores_one(phantoms):
    result = evaluate_reading(PerfectPredictor(phantoms), phantoms, 200)
    assert {name: score["f1"] for name, score in result["findings"].items()} == dict.fromkeys(FINDINGS, 1.0)
    assert result["macro"]["f1"] == result["macro"]["exact_f1"] == 1.0
    assert result["macro"]["f1_interval"] == (1.0, 1.0)
    assert result["all_findings_exact"] == 1.0
    assert all(score["accuracy"] == 1.0 for score in result["sides"].values())
    assert set(result["zones"]) == {"consolidation", "nodule", "atelectasis"}
    assert result["ratio"]["r"] > 0.99


def test_a_constant_report_scores_the_floor(phantoms):
    result = evaluate_reading(ConstantPredictor(), phantoms, 200)
    assert result["macro"]["f1"] == 0.0
    assert result["ratio"]["r"] is None
    assert result["all_findings_exact"] < 0.2  # the truly normal ones


def test_presence_side_and_zone_are_told_apart():
    effusion = DrawnFinding("pleural effusion", "left", grade="large", extent=0.9)
    nodule = DrawnFinding("nodule", "right", "upper", "small", 0.1)
    cases = [case_with(effusion), case_with(nodule, index=1), case_with(index=2)]
    texts = [
        "Large right pleural effusion.",
        "Small nodule in the right lower zone. Cardiothoracic ratio 0.47.",
        "Small right pneumothorax.",
    ]
    result = score_reports(cases, texts)
    assert result["findings"]["pleural effusion"]["f1"] == 1.0
    assert result["findings"]["pleural effusion"]["exact_f1"] == 0.0
    assert result["sides"] == {
        "pleural effusion": {"accuracy": 0.0, "support": 1},
        "nodule": {"accuracy": 1.0, "support": 1},
    }
    assert result["zones"] == {"nodule": {"accuracy": 0.0, "support": 1}}
    assert result["findings"]["pneumothorax"]["precision"] == 0.0
    assert result["findings"]["pneumothorax"]["f1"] is None
    assert result["ratio"]["mae"] == pytest.approx(0.02)
    assert result["all_findings_exact"] == 0.0


def test_an_empty_report_is_counted_and_denies_nothing():
    result = score_reports([case_with()], [""])
    assert result["empty_reports"] == 1
