"""Give phantoms as a dataset of studies, computed when asked for: pixels, texts, labels. Knows no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.data.dataset import Dataset, Texts
from llmcxr.data.phantom.case import FINDINGS, VARIATION, PhantomCase
from llmcxr.data.phantom.projection import render
from llmcxr.data.phantom.sampling import sample_case
from llmcxr.data.phantom.truth import finding_map, salience
from llmcxr.records import SPLITS, Label, Radiograph, Study

OWN_SIZE = 512  # px: the side of a phantom read without a size


@dataclass(eq=False)
class PhantomDataset(Dataset):
    """Gives `n` phantoms of a seed, `phantom:n=4000,seed=0`. Phantoms of other seeds share no patient.

    `split` names the split that these studies say they belong to; it chooses nothing. `variation` is how much
    of their full spread posture, habitus, exposure and noise have, 0..1.
    """

    kind = "phantom"
    is_synthetic = True

    n: int = 1000
    seed: int = 0
    split: str = "train"
    variation: float = VARIATION

    def __post_init__(self) -> None:
        if self.n < 1 or self.seed < 0:
            raise UserError(
                f"phantom: expected n >= 1 and seed >= 0, found n={self.n}, seed={self.seed}; correct it"
            )
        if self.split not in SPLITS:
            raise UserError(
                f"phantom: expected split={'|'.join(SPLITS)}, found split={self.split}; correct it"
            )
        if not 0 <= self.variation <= 1:
            raise UserError(f"phantom: expected variation in 0..1, found {self.variation}; correct it")
        self.name = f"phantom:n={self.n},seed={self.seed},split={self.split},variation={self.variation}"

    def __len__(self) -> int:
        return self.n

    def case(self, index: int) -> PhantomCase:
        """Return everything true of the study. Raises IndexError outside 0..n-1."""
        if not 0 <= index < self.n:
            raise IndexError(f"expected an index in 0..{self.n - 1}, got {index}")
        return sample_case(self.seed, int(index), self.variation)

    def __getitem__(self, index: int) -> Study:
        case, known = self.case(index), self.identify(index)
        texts = self.texts(index, np.random.default_rng(np.random.SeedSequence((self.seed, int(index), 5))))
        radiograph = replace(
            known.radiographs[0],
            view_position=case.view_position,
            sex=case.sex,
            age_years=float(case.age_years),
        )
        return replace(
            known,
            radiographs=(radiograph,),
            report=texts.report,
            labels={f: Label.ABSENT if case.find(f) is None else Label.PRESENT for f in FINDINGS},
            questions=texts.questions,
        )

    def identify(self, index: int) -> Study:
        """See `Dataset.identify`. Computes nothing."""
        name = f"phantom-{self.seed}-{index}"
        return Study(name, name, (Radiograph(name, name, name),), split=self.split)

    def read(self, index: int, size: int | None = None) -> np.ndarray:
        """Draw the picture at its size, (size, size) float32 in [0, 1]."""
        return render([self.case(index)], OWN_SIZE if size is None else size)[0]

    def read_many(self, indices: Sequence[int], size: int) -> np.ndarray:
        """See `Dataset.read_many`."""
        return render([self.case(index) for index in indices], size)

    def salience(self, index: int, size: int) -> np.ndarray:
        """See `Dataset.salience`."""
        return salience(self.case(index), size)

    def finding_map(self, index: int, grid: tuple[int, int]) -> np.ndarray:
        """See `Dataset.finding_map`."""
        return finding_map(self.case(index), grid)

    def texts(self, index: int, rng: np.random.Generator) -> Texts:
        """See `Dataset.texts`; worded anew by `rng`."""
        from llmcxr.data.phantom.questions import ask_questions
        from llmcxr.data.phantom.wording import describe, write_report

        case = self.case(index)
        return Texts(write_report(case, rng), describe(case, rng), ask_questions(case, rng))
