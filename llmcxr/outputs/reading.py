"""Open the radiographs that a user names; write what a model says of them. Knows no models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from llmcxr import images
from llmcxr.common.guard import Kind
from llmcxr.outputs.notices import DISCLAIMER, PHANTOM_NOTICE, REPETITIVE
from llmcxr.predictor import AnswerResult, ReportResult
from llmcxr.reports import is_repetitive
from vqgan.json_text import to_json


def _recognise(path: Path) -> bool:
    with path.open(encoding="utf-8") as file:
        first = json.loads(file.readline())
    return isinstance(first, dict) and first.get("disclaimer") == DISCLAIMER


READINGS = Kind("reports or answers that llmcxr wrote", _recognise)


@dataclass(frozen=True)
class Radiograph:
    """Hold an image file that was read: pixels (H, W) float32 in [0, 1], bright = dense."""

    path: Path
    pixels: np.ndarray
    warnings: tuple[str, ...]

    @classmethod
    def open(cls, path: Path) -> Radiograph:
        """Read a file. Raises UserError where the file cannot be read."""
        pixels, header = images.read_with_header(path)
        return cls(path, pixels, header.warnings)

    @property
    def is_synthetic(self) -> bool:
        """Tell whether the file says of itself that it was drawn."""
        return any(images.SYNTHETIC_KEY in warning for warning in self.warnings)


@dataclass(frozen=True)
class Reading:
    """Hold a report of a radiograph, or an answer about it, by the model called `model`."""

    radiograph: Radiograph
    result: ReportResult | AnswerResult
    model: str
    is_phantom_trained: bool

    @property
    def image_warnings(self) -> list[str]:
        """List what is odd about the file, its pixels and what was written, each once."""
        return list(dict.fromkeys([*self.radiograph.warnings, *self.result.warnings]))

    @property
    def is_repetitive(self) -> bool:
        """Tell whether the text repeats itself over and over, see `llmcxr.reports.repetition`."""
        return is_repetitive(self.result.text)

    @property
    def warnings(self) -> list[str]:
        means_nothing = self.is_phantom_trained and not self.radiograph.is_synthetic
        notices = [PHANTOM_NOTICE] if means_nothing else []
        marks = [REPETITIVE] if self.is_repetitive else []
        return list(dict.fromkeys([*self.image_warnings, *notices, *marks]))

    @property
    def sections(self) -> dict[str, str]:
        """List the sections of a report that are there, in their order; none for an answer."""
        if isinstance(self.result, AnswerResult):
            return {}
        return {name: text for name, text in asdict(self.result.report).items() if text}

    def to_text(self) -> str:
        sections = [f"{name.upper()}\n{text}" for name, text in self.sections.items()]
        text = "\n\n".join(sections) or self.result.text
        return f"{text}\n\n{REPETITIVE}" if self.is_repetitive else text

    def to_json(self) -> str:
        """Write one line: image, question or sections, text, is_repetitive, seed, warnings, model, ..."""
        is_answer = isinstance(self.result, AnswerResult)
        about = {"question": self.result.question} if is_answer else {"sections": self.sections}
        reading = {
            "image": str(self.radiograph.path),
            **about,
            "text": self.result.text,
            "is_repetitive": self.is_repetitive,
            "log_probability": self.result.log_probability,
            "seed": self.result.seed,
            "warnings": self.warnings,
            "model": self.model,
            "disclaimer": DISCLAIMER,
        }
        return to_json(reading, ensure_ascii=False)


def read_all(radiographs: Sequence[Radiograph], cxr, seed: int, temperature: float) -> list[Reading]:
    """Write a report of each radiograph, in one batch."""
    if not radiographs:
        return []
    results = cxr.report(
        [radiograph.pixels for radiograph in radiographs], seed=seed, temperature=temperature
    )
    return [
        Reading(radiograph, result, cxr.name, cxr.is_phantom_trained)
        for radiograph, result in zip(radiographs, results, strict=True)
    ]
