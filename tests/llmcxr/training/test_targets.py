import pytest
import torch

from llmcxr.common.errors import UserError
from llmcxr.data.phantom.case import FINDINGS, DrawnFinding, PhantomCase
from llmcxr.model.classifier import SIDE_CHOICES, ZONE_CHOICES, ClassifierOutput
from llmcxr.records import Label
from llmcxr.training.targets import Targets, aurocs, choose_findings, classifier_loss

PRESENT, ABSENT, UNCERTAIN = Label.PRESENT, Label.ABSENT, Label.UNCERTAIN
# Edema is present in one, absent in two (once by not being mentioned), uncertain in one; one has no labels.
LABELS = [{"edema": PRESENT}, {"edema": ABSENT}, {"mass": PRESENT}, {"edema": UNCERTAIN, "mass": PRESENT}, {}]


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


def test_targets_of_labels():
    targets = Targets.from_labels(LABELS, ("edema", "mass"), max_positive_weight=20)
    nan = float("nan")
    expected = torch.tensor([[1, 0], [0, 0], [0, 1], [nan, 1], [nan, nan]])
    torch.testing.assert_close(targets.presence, expected, equal_nan=True)
    assert targets.weights.tolist() == [[1, 1], [2, 1]]  # edema: two absent, one present
    assert Targets.from_labels(LABELS, ("edema",), max_positive_weight=1.5).weights.tolist() == [[1], [1.5]]
    assert targets.select(torch.tensor([3, 0])).presence[1].tolist() == [1, 0]


def test_what_is_not_known_costs_nothing_and_a_rare_finding_more():
    targets = Targets.from_labels(LABELS, ("edema",), max_positive_weight=20)
    logits = torch.tensor([[-20.0], [20.0], [-20.0], [99.0], [99.0]], requires_grad=True)
    losses = classifier_loss(ClassifierOutput(logits), targets)
    assert set(losses) == {"presence"}
    assert losses["presence"].item() == pytest.approx((2 * 20 + 20) / 5)  # a miss counts 2, a false alarm 1
    losses["presence"].backward()
    assert logits.grad[3:].abs().sum() == 0


def test_auroc_of_known_studies():
    targets = Targets.from_labels(LABELS, ("edema", "mass", "hernia"))
    logits = torch.tensor([[0.0, 0, 0], [-1, 3, 0], [1, 2, 0], [9, 1, 0], [9, 9, 0]])
    # edema: 0 is above -1 and below 1; mass: 2 and 1 against 0 and 3; hernia: nobody has one
    assert aurocs(logits, targets) == {"edema": 0.5, "mass": 0.5}


def test_findings_that_enough_studies_have():
    assert choose_findings(LABELS, (), 1, "x") == ("mass", "edema")
    assert choose_findings(LABELS, (), 2, "x") == ("mass",)
    assert choose_findings(LABELS, ("edema",), 2, "x") == ("edema",)


@pytest.mark.parametrize(
    ("labels", "wanted", "message"),
    [
        ([{}, {}], (), "x: expected studies with labels"),
        (LABELS, ("hernia",), "found 0 with and 4 without"),
        (LABELS, (), "found none .*'mass': 2 of 5.*lower min_positives"),
    ],
)
def test_what_cannot_be_learnt_is_said(labels, wanted, message):
    with pytest.raises(UserError, match=message):
        choose_findings(labels, wanted, 3, "x")
