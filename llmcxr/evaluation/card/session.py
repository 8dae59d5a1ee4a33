"""Ask one system about one set of studies, everything once, however many parts of a card need it.

Knows no metric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.data import Dataset
from llmcxr.evaluation.comparing import summarise_seeds
from llmcxr.metrics.metric import Inputs, Metric, score_all
from llmcxr.model.classifier import Classifier
from llmcxr.pages.document import Sheet
from llmcxr.reports import scored_text
from llmcxr.systems import Gathered, System, gather
from llmcxr.systems.ask import Radiographs, read_radiographs, select_studies
from llmcxr.systems.kept import KeptPredictions


@dataclass(frozen=True)
class CardSettings:
    """Say what to judge. The first seed words the studies and resamples; the system is asked once by each."""

    n: int = 200
    seeds: tuple[int, ...] = (0,)
    size: int = 128  # px at which images are given
    extractor: str = "classifier"
    training: str = ""  # the system's training data, see leakage.check_training

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise UserError(f"expected different seeds of 0 or more, found {list(self.seeds)}; correct them")

    @property
    def seed(self) -> int:
        return self.seeds[0]


@dataclass
class Interview:
    """Ask a system. `judge` is an independent classifier of phantoms, None for images that it does not know.

    Parts add their pictures to `album`, and score reports by `metrics` besides their own. `kept`, by seed,
    takes the reports and answers as they come.
    """

    system: System
    dataset: Dataset
    settings: CardSettings
    judge: Classifier | None = None
    metrics: Sequence[Metric] = ()
    kept: Mapping[int, KeptPredictions] = field(default_factory=dict)
    album: list[Sheet] = field(default_factory=list)
    _gathered: dict[tuple[str, int], Gathered] = field(default_factory=dict, repr=False)

    @cached_property
    def radiographs(self) -> Radiographs:
        """Read the true images, (H, W) float32 in [0, 1] of the settings' size, once for all parts."""
        return read_radiographs(self.dataset, self.settings.n, self.settings.size)

    def pixels_of(self, gathered: Gathered) -> list[np.ndarray]:
        """Return the true images of the studies gathered."""
        return [self.radiographs.images[index] for index in gathered.indices]

    @cached_property
    def has_images(self) -> bool:
        return any(self.dataset.identify(index).radiographs for index in range(self.settings.n))

    @cached_property
    def studies(self) -> Gathered:
        """Gather the studies' own texts, asking nothing."""
        return select_studies(self.dataset, self.settings.n, self.settings.seed)

    def ask(self, part: str, seed: int | None = None) -> Gathered:
        """Gather a part of `systems.ask.PARTS` by one seed, the first for None.

        A file of reports or answers needs no image. Whatever else is judged leaves out the studies whose
        image cannot be read, so that all systems are judged on the same; in a dataset without images only
        systems that look at them leave out all.
        """
        key = (part, self.settings.seed if seed is None else seed)
        if key not in self._gathered:
            needs_none = self.system.is_recorded and part != "drawings"
            looks = self.system.looks_at_images and part != "drawings"
            is_shown = not needs_none and (self.has_images or looks)
            self._gathered[key] = gather(
                self.system,
                self.dataset,
                self.settings.n,
                self.settings.seed,
                parts=(part,),
                size=self.settings.size,
                system_seed=key[1],
                radiographs=self.radiographs if is_shown else None,
                keep=self.kept[key[1]].add if key[1] in self.kept else None,
            )
        return self._gathered[key]

    def read(self, images: Sequence[np.ndarray], seed: int) -> list[str]:
        """Let the system report other images than the studies' own; return what metrics compare."""
        return [scored_text(result.text) for result in self.system.report(images, seed=seed)]

    def ask_each_seed(self, part: str) -> list[Gathered]:
        return [self.ask(part, seed) for seed in self.settings.seeds]

    def score(self, metrics: Sequence[Metric], runs: Sequence[Inputs]) -> dict:
        """Return {"scores": of the first seed}, of several also {"seeds": mean, interval, spread of each}."""
        result = {"scores": [asdict(one) for one in score_all(metrics, runs[0], self.settings.seed)]}
        return {**result, **self.summarise(metrics, runs)}

    def summarise(self, metrics: Sequence[Metric], runs: Sequence[Inputs]) -> dict:
        if len(runs) == 1:
            return {}
        return {"seeds": [asdict(one) for one in summarise_seeds(metrics, runs, self.settings.seed)]}
