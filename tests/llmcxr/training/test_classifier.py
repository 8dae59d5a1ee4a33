import json

import pytest
import torch

from llmcxr.data.phantom.case import FINDINGS, DrawnFinding, PhantomCase
from llmcxr.errors import UserError
from llmcxr.model.classifier import SIDE_CHOICES, ZONE_CHOICES, Classifier, ClassifierConfig, ClassifierOutput
from llmcxr.training.classifier import ClassifierRun, Targets, classifier_loss, run

TINY = ClassifierConfig(image_size=32, width=4, hidden=16, pooled_channels=4)


def case_with(*findings, ratio=0.45):
    return PhantomCase(0, 0, findings, ratio, "F", 60, "PA")


def test_targets_of_cases():
    nodule = DrawnFinding("nodule", "right", "lower", "small", 0.2)
    effusion = DrawnFinding("pleural effusion", "bilateral", grade="large", extent=0.9)
    targets = Targets.from_cases([case_with(nodule), case_with(effusion, ratio=0.6)])
    assert targets.presence.sum(1).tolist() == [1, 1]
    assert targets.presence[0, FINDINGS.index("nodule")] == 1
    assert targets.sides["nodule"].tolist() == [1, -1]
    assert targets.sides["pleural effusion"].tolist() == [-1, 2]
    assert targets.zones["nodule"].tolist() == [2, -1]
    assert targets.ratio.tolist() == pytest.approx([0.45, 0.6])
    assert targets.select(torch.tensor([1])).sides["pleural effusion"].tolist() == [2]


def test_loss_counts_a_side_only_where_it_applies():
    targets = Targets.from_cases([case_with()])
    output = ClassifierOutput(
        torch.full((1, len(FINDINGS)), -20.0),
        {name: torch.randn(1, len(choices)) for name, choices in SIDE_CHOICES.items()},
        {name: torch.randn(1, len(choices)) for name, choices in ZONE_CHOICES.items()},
        torch.tensor([0.45]),
    )
    assert [part.item() for part in classifier_loss(output, targets).values()] == pytest.approx([0, 0, 0])


def test_a_missed_nodule_costs_three_times_a_missed_pacemaker():
    def cost(missed: str) -> float:
        presence = torch.full((1, len(FINDINGS)), -20.0)
        truth = Targets.from_cases([case_with()])
        truth.presence[0, FINDINGS.index(missed)] = 1.0
        output = ClassifierOutput(
            presence,
            {name: torch.zeros(1, len(choices)) for name, choices in SIDE_CHOICES.items()},
            {name: torch.zeros(1, len(choices)) for name, choices in ZONE_CHOICES.items()},
            torch.tensor([0.45]),
        )
        return classifier_loss(output, truth)["presence"].item()

    assert cost("pacemaker") == pytest.approx(
        20
    )  # -log sigmoid(-20), the mean over findings times their number
    assert cost("nodule") == pytest.approx(60)


def tiny_run(tmp_path, name, **changes):
    settings = dict(
        run_dir=str(tmp_path / name),
        cache_dir=str(tmp_path / "cache"),
        dataset="phantom:n=8,seed=3",
        validation="phantom:n=2,seed=4",
        num_steps=2,
        batch_size=6,
        validate_every=1,
        model=TINY,
    )
    return ClassifierRun(**{**settings, **changes})


def test_a_run_in_pieces_is_the_run_in_one(tmp_path):
    whole = run(tiny_run(tmp_path, "whole"))
    assert whole == tmp_path / "whole" / "classifier"
    pieces = tiny_run(tmp_path, "pieces", max_minutes=1e-9)
    calls = 1
    while run(pieces) == tmp_path / "pieces":
        calls += 1
    assert calls == 2
    same = [Classifier.from_pretrained(tmp_path / name / "classifier") for name in ("whole", "pieces")]
    images = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(same[0](images).presence, same[1](images).presence, atol=2e-2, rtol=0)
    log = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [1, 2]


def test_another_model_in_the_run_directory_is_refused(tmp_path):
    run(tiny_run(tmp_path, "run"))
    with pytest.raises(UserError, match="choose another run_dir"):
        run(tiny_run(tmp_path, "run", model=ClassifierConfig(32, 8, 16, 4)))
