"""Labels of generated reports against a publisher's labels: worked by hand, and what chance gives."""

import pytest

from llmcxr.evaluation.real import score_labels
from llmcxr.records import Label

HAS = {"pleural effusion": Label.PRESENT}
UNSURE = {"pleural effusion": Label.UNCERTAIN}
SAYS, SAYS_NOT = "There is a pleural effusion.", "Clear lungs."


def test_a_finding_that_is_not_mentioned_counts_as_absent_and_an_uncertain_one_not_at_all():
    # of four certain studies: one hit, one miss, one false alarm, one right silence -> 2*1 / (2 + 2)
    scores = score_labels(
        [HAS, HAS, {}, {}, UNSURE], [SAYS, SAYS_NOT, SAYS, SAYS_NOT, SAYS], ["a", "b", "c", "d", "e"]
    )
    assert scores["findings"]["pleural effusion"]["f1"] == pytest.approx(0.5)
    assert scores["findings"]["pleural effusion"]["support"] == 2


def test_reports_that_ignore_the_image_score_chance():
    truth = [HAS, {}] * 20
    same = score_labels(truth, [SAYS] * 40, [str(i) for i in range(40)])["findings"]["pleural effusion"]
    assert same["f1"] == pytest.approx(same["chance"]) and same["p"] == 1
    right = score_labels(truth, [SAYS, SAYS_NOT] * 20, [str(i) for i in range(40)])
    assert right["findings"]["pleural effusion"]["p"] < 0.05 and right["macro"]["f1"] == 1
