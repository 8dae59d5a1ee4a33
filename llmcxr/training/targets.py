"""Turn the truth of many studies into tensors that a classifier learns, and compute its loss. Trains nothing.

N studies, B of a batch, F findings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from llmcxr.common.errors import UserError
from llmcxr.common.terminal import say
from llmcxr.data.phantom.case import FINDINGS, PhantomCase
from llmcxr.metrics.scores import auroc
from llmcxr.model.classifier import RATIO_SCALE, SIDE_CHOICES, ZONE_CHOICES, ClassifierOutput
from llmcxr.records import Label

# How much a phantom finding's presence and place count: nodules, the smallest, are learnt last.
FINDING_WEIGHTS = {name: 3.0 if name == "nodule" else 1.0 for name in FINDINGS}


@dataclass(frozen=True)
class Targets:
    """Holds the truth of N studies. A choice of -1 does not apply, a presence of NaN is unknown: no loss."""

    findings: tuple[str, ...]
    presence: Tensor  # (N, F) float 0, 1, or NaN where it is not known
    weights: Tensor  # (2, F) float: what each finding counts where it is absent, and where it is present
    sides: Mapping[str, Tensor] = field(default_factory=dict)  # finding -> (N,), -1 or index in SIDE_CHOICES
    zones: Mapping[str, Tensor] = field(default_factory=dict)
    ratio: Tensor | None = None  # (N,) float

    @classmethod
    def from_cases(cls, cases: Sequence[PhantomCase]) -> Targets:
        """Build targets of everything that is known of phantoms: presence, side, zone and ratio."""

        def choice(name: str, attribute: str, choices: Sequence[str]) -> Tensor:
            found = (case.find(name) for case in cases)
            names = [getattr(finding, attribute) if finding else "" for finding in found]
            return torch.tensor([choices.index(word) if word in choices else -1 for word in names])

        presence = [[float(case.find(name) is not None) for name in FINDINGS] for case in cases]
        return cls(
            FINDINGS,
            torch.tensor(presence),
            torch.tensor([[FINDING_WEIGHTS[name] for name in FINDINGS]] * 2),
            {name: choice(name, "side", choices) for name, choices in SIDE_CHOICES.items()},
            {name: choice(name, "zone", choices) for name, choices in ZONE_CHOICES.items()},
            torch.tensor([case.cardiothoracic_ratio for case in cases], dtype=torch.float32),
        )

    @classmethod
    def from_labels(
        cls, labels: Sequence[Mapping[str, Label]], findings: Sequence[str], max_positive_weight: float = 1.0
    ) -> Targets:
        """Build targets of presence alone, as the labels of radiographs have it.

        PRESENT is 1; ABSENT and NOT_MENTIONED are 0, as NIH and Open-i mean them and as evaluation counts
        them; UNCERTAIN and unlabelled studies are NaN (no loss). A present finding weighs up to
        `max_positive_weight` times as much, as far as it is rarer than its absence.
        """
        known = {Label.PRESENT: 1.0, Label.ABSENT: 0.0, Label.NOT_MENTIONED: 0.0, Label.UNCERTAIN: math.nan}
        rows = [
            [known[study.get(name, Label.NOT_MENTIONED)] if study else math.nan for name in findings]
            for study in labels
        ]
        presence = torch.tensor(rows).reshape(len(labels), len(findings))
        absent, present = ((presence == value).sum(0) for value in (0, 1))
        balance = (absent / present.clamp(min=1)).clamp(1, max_positive_weight)
        return cls(tuple(findings), presence, torch.stack([torch.ones_like(balance), balance]))

    def select(self, rows: Tensor, device: str | torch.device = "cpu") -> Targets:
        def pick(value: Tensor) -> Tensor:
            return value[rows].to(device)

        return Targets(
            self.findings,
            pick(self.presence),
            self.weights.to(device),
            {name: pick(value) for name, value in self.sides.items()},
            {name: pick(value) for name, value in self.zones.items()},
            None if self.ratio is None else pick(self.ratio),
        )


def classifier_loss(output: ClassifierOutput, targets: Targets) -> dict[str, Tensor]:
    """Return named parts, each a mean over studies; their sum is trained. Sides and zones count only where
    they apply.
    """
    batch_size = len(targets.presence)
    truth, known = targets.presence.nan_to_num(), ~targets.presence.isnan()
    weights = torch.where(truth == 1, targets.weights[1], targets.weights[0]) * known
    losses = {
        "presence": F.binary_cross_entropy_with_logits(output.presence, truth, weights, reduction="sum")
        / batch_size
    }
    if targets.ratio is not None:
        choices = [(name, output.sides[name], targets.sides[name]) for name in SIDE_CHOICES]
        choices += [(name, output.zones[name], targets.zones[name]) for name in ZONE_CHOICES]
        placed = sum(
            FINDING_WEIGHTS[name] * F.cross_entropy(logits, truth, ignore_index=-1, reduction="sum")
            for name, logits, truth in choices
        )
        losses["place"] = placed / batch_size
        losses["ratio"] = F.smooth_l1_loss(output.ratio / RATIO_SCALE, targets.ratio / RATIO_SCALE)
    return losses


def aurocs(logits: Tensor, targets: Targets) -> dict[str, float]:
    """Return from (N, F) the AUROC of each finding that studies are known to have and not to have."""
    values = {
        name: auroc(targets.presence[:, column].numpy(), logits[:, column].numpy())
        for column, name in enumerate(targets.findings)
    }
    return {name: value for name, value in values.items() if value is not None}


def choose_findings(
    labels: Sequence[Mapping[str, Label]], wanted: Sequence[str], min_positives: int, source: str
) -> tuple[str, ...]:
    """Return `wanted`, or all findings that enough studies have and have not, the most frequent first.

    Raises UserError where nothing can be learnt. `source` is how the user named the dataset.
    """
    if not any(labels):
        raise UserError(
            f"{source}: expected studies with labels of findings to learn from, found none that has any; "
            "choose a dataset that has them, such as phantom:, nih:DIR or openi:DIR"
        )
    names = tuple(wanted) or tuple(dict.fromkeys(name for study in labels for name in study))
    presence = Targets.from_labels(labels, names).presence
    present, absent = (dict(zip(names, (presence == x).sum(0).tolist(), strict=True)) for x in (1, 0))
    for name in wanted:
        if not present[name] or not absent[name]:
            raise UserError(
                f"{source}: expected studies with and without {name!r}, found {present[name]} with and "
                f"{absent[name]} without; leave it out of findings={list(wanted)}"
            )
    enough = [name for name in names if min(present[name], absent[name]) >= max(min_positives, 1)]
    chosen = tuple(wanted) or tuple(sorted(enough, key=lambda name: -present[name]))
    if not chosen:
        most = max(names, key=lambda name: present[name])
        raise UserError(
            f"{source}: expected a finding that {min_positives} studies have and as many have not, found "
            f"none (the most frequent, {most!r}: {present[most]} of {len(labels)}); lower min_positives"
        )
    say("findings: " + ", ".join(f"{name} ({present[name]} of {len(labels)})" for name in chosen))
    return chosen
