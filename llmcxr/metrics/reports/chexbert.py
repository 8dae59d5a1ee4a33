"""Load CheXbert (Smit et al. 2020), a BERT that reads the 14 CheXpert findings from a report.

The f1chexbert package fetches its files from the network and knows no other way, so the checkpoint is read
here: "chexbert.pth" of stanfordmlgroup/CheXbert, and a folder with config.json and vocab.txt of
bert-base-uncased.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.common.pretrained import load_pretrained
from llmcxr.labeler.states import LABEL_STATES
from llmcxr.metrics.metric import Inputs, Metric
from llmcxr.metrics.reports.label_f1 import label_metrics
from llmcxr.records import Label

if TYPE_CHECKING:
    import torch

# CheXpert's fourteen, in the order of the checkpoint's heads.
FINDINGS = (
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
    "No Finding",
)
CLASSES = (Label.NOT_MENTIONED, Label.PRESENT, Label.ABSENT, Label.UNCERTAIN)  # "No Finding": the first two
LONGEST = 512  # tokens that BERT can read; what is beyond is cut, as in the original


@dataclass
class CheXbert:
    """Reads each text once. Build it with `load_chexbert`."""

    bert: torch.nn.Module
    heads: torch.nn.ModuleList
    tokenizer: object
    batch_size: int = 32
    _known: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def label(self, reports: Sequence[str]) -> np.ndarray:
        """Return (N, 14) int8 of labeler.states.LABEL_STATES, columns as FINDINGS."""
        new = [text for text in dict.fromkeys(reports) if text not in self._known]
        states = np.array([LABEL_STATES[state] for state in CLASSES], np.int8)
        for texts, vectors in self._read(new):
            classes = [head(vectors).argmax(1).cpu().numpy() for head in self.heads]  # 14 of (B,)
            self._known.update(zip(texts, states[np.stack(classes, axis=1)], strict=True))
        return np.array([self._known[text] for text in reports], np.int8).reshape(len(reports), len(FINDINGS))

    def embed(self, reports: Sequence[str]) -> np.ndarray:
        """Return (N, width): the [CLS] vector of each report, which RadCliQ compares."""
        return np.concatenate([hidden.cpu().numpy() for _, hidden in self._read(reports)])

    def _read(self, reports: Sequence[str]) -> Iterator[tuple[Sequence[str], torch.Tensor]]:
        """Yield batches of texts with their (B, width) vectors."""
        import torch

        for start in range(0, len(reports), self.batch_size):
            texts = reports[start : start + self.batch_size]
            cleaned = [" ".join(text.split()) for text in texts]
            tokens = self.tokenizer(
                cleaned, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
            )
            tokens = tokens.to(self.bert.device)
            with torch.inference_mode():
                yield texts, self.bert(**tokens).last_hidden_state[:, 0]  # (B, tokens, width) -> (B, width)


def load_chexbert(checkpoint: str | Path, bert: str | Path, device: str = "cpu") -> CheXbert:
    """Load `checkpoint`; `bert` is the folder of bert-base-uncased, whose weights are not needed.

    Raises UserError for a missing file and for a checkpoint that is not CheXbert's.
    """
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    checkpoint, bert = Path(checkpoint), Path(bert)
    for path, what in (
        (checkpoint, "CheXbert's chexbert.pth (from github.com/stanfordmlgroup/CheXbert)"),
        (bert / "config.json", "config.json of bert-base-uncased"),
        (bert / "vocab.txt", "vocab.txt of bert-base-uncased"),
    ):
        if not path.is_file():
            raise UserError(f"{path}: expected {what}, found no such file; check the path")
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    # saved from DataParallel, hence "module."
    state = {name.removeprefix("module."): value for name, value in saved["model_state_dict"].items()}

    model = torch.nn.Module()
    model.bert = BertModel(load_pretrained(BertConfig, bert))
    width = model.bert.config.hidden_size
    num_classes = [*[len(CLASSES)] * (len(FINDINGS) - 1), 2]
    model.linear_heads = torch.nn.ModuleList(torch.nn.Linear(width, number) for number in num_classes)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            f"{checkpoint}: not the weights of a CheXbert on the BERT of {bert}: {error}"
        ) from error
    model.to(device).eval()
    return CheXbert(model.bert, model.linear_heads, load_pretrained(BertTokenizer, bert))


@dataclass(frozen=True)
class ReadByCheXbert:
    """Apply a label metric to what CheXbert reads from both reports, whatever labels there are besides."""

    metric: Metric
    labeler: CheXbert
    inputs: tuple[str, ...] = ("references", "candidates")

    @property
    def name(self) -> str:
        return f"CheXbert {self.metric.name}"

    @property
    def resamples(self) -> int:
        return self.metric.resamples

    def rows(self, inputs: Inputs) -> np.ndarray:
        labelled = replace(
            inputs,
            findings=FINDINGS,
            reference_labels=self.labeler.label(inputs.references),
            candidate_labels=self.labeler.label(inputs.candidates),
        )
        return self.metric.rows(labelled)

    def value(self, rows: np.ndarray) -> float | None:
        return self.metric.value(rows)


def open_chexbert(checkpoint: str, bert: str, device: str = "cpu") -> tuple[ReadByCheXbert, ...]:
    """List every label metric, on 14 and on 5 findings, under every convention. See `load_chexbert`."""
    labeler = load_chexbert(checkpoint, bert, device)
    return tuple(ReadByCheXbert(metric, labeler) for metric in label_metrics(FINDINGS))
