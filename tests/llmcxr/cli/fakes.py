"""A model that only remembers what it was asked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.predictor import AnswerResult, DrawResult, ReportResult, System
from llmcxr.records import Report


class FakeCXR(System):
    """Draws a gradient that depends on the seed; its report names the mean of the image."""

    loaded: ClassVar[list[str]] = []
    calls: ClassVar[list[tuple]] = []
    is_phantom_trained = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.provenance = {"dataset": "phantom:n=1,seed=0"}
        self.model = SimpleNamespace(
            vocabulary=SimpleNamespace(grid=(2, 4), codebook_size=10, size=99), parameters=lambda: []
        )
        self.image_tokenizer = SimpleNamespace(
            config=SimpleNamespace(image_size=16), fingerprint="f00d", parameters=lambda: []
        )

    @classmethod
    def from_pretrained(cls, name: str, device: str = "cpu") -> FakeCXR:
        cls.loaded.append(name)
        if name == "nowhere":
            raise UserError("nowhere: no such model directory")
        return cls(name)

    def draw(self, texts, settings, *, n, seed):
        self.calls.append(("draw", n, seed, settings.best_of))
        if not texts[0].strip():
            raise UserError("the prompt is empty")
        return [self._draw(texts[0], settings.recipe(seed + i)) for i in range(n)]

    def _draw(self, text: str, settings: dict) -> DrawResult:
        seed = settings["seed"]
        image = np.linspace(0, 1, 24 * 20, dtype=np.float32).reshape(24, 20) * (1 - seed / 100)
        recipe = {"prompt": text, **settings, "model": self.name}
        return DrawResult(image, text, seed, np.zeros((2, 4), int), -1.0, recipe=recipe)

    def report(self, pictures, seed, temperature):
        self.calls.append(("report", len(pictures), seed, temperature))
        return [
            ReportResult(
                f"Mean {picture.mean():.2f}. Nothing else.",
                [1],
                -2.0,
                seed,
                report=Report(findings=f"Mean {picture.mean():.2f}.", impression="Nothing else."),
            )
            for picture in pictures
        ]

    def answer(self, picture, question, seed, temperature):
        return AnswerResult("No.", [1], -0.5, seed, question=question)

    def save_pretrained(self, directory: Path) -> Path:
        directory.mkdir(parents=True, exist_ok=True)
        return directory
