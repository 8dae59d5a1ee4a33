import pytest

from llmcxr.data.phantom import PhantomDataset
from llmcxr.evaluation.phantom.classifier import evaluate_classifier, score_readings
from llmcxr.model.judges import load_evaluator
from tests.llmcxr.evaluation.fakes import KnowingEvaluator, NumberedPhantoms, numbered


def test_one_that_knows_scores_one():
    phantoms = NumberedPhantoms(60)
    readings = KnowingEvaluator(phantoms).predict([numbered(index) for index in range(60)])
    result = score_readings(phantoms.cases, readings)
    assert result["macro"]["f1"] == 1.0
    assert result["findings"]["nodule"]["zone_accuracy"] == 1.0
    assert "zone_accuracy" not in result["findings"]["pacemaker"]
    assert result["ratio"]["mae"] == 0.0


def test_readings_of_the_wrong_phantoms_score_low():
    phantoms = NumberedPhantoms(60)
    readings = KnowingEvaluator(phantoms).predict([numbered(index) for index in range(60)])
    assert score_readings(phantoms.cases, readings[1:] + readings[:1])["macro"]["f1"] < 0.5


def test_the_evaluator_that_ships_reads_phantoms_it_never_saw():
    result = evaluate_classifier(load_evaluator(), PhantomDataset(30, 900), 30)
    assert result["macro"]["f1"] == pytest.approx(0.98, abs=0.08)
    assert result["ratio"]["r"] > 0.9
