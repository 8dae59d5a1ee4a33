"""The one shape of every source: studies that give images and words. Knows no publisher's layout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Protocol, runtime_checkable

import numpy as np

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.common.rejections import Rejections
from llmcxr.records import SPLITS, LesionBox, Question, Radiograph, Report, Study
from llmcxr.reports import clean


@dataclass(frozen=True)
class Texts:
    """The words of one study for one step: its report, a request that would draw it, questions on it."""

    report: Report
    request: str
    questions: tuple[Question, ...] = ()


@runtime_checkable
class Dataset(Protocol):
    """What every source gives, by index from 0. `read` and `texts` are as cheap as the source allows.

    One that knows where findings are may offer `salience(index, size)`, which weighs a tokenizer's pixels,
    and `layout(index, grid)`, which a language model is told of a grid's cells; see PhantomDataset.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Study: ...

    def read(self, index: int, size: int | tuple[int, int] | None = None) -> np.ndarray:
        """The study's first frontal radiograph, (H, W) float32 in [0, 1]; letterboxed if `size` is given."""
        ...

    def texts(self, index: int, rng: np.random.Generator) -> Texts:
        """The study's words. The phantom words them anew with `rng`; files give what they have."""
        ...


def find_frontal(study: Study) -> Radiograph | None:
    """The study's first PA or AP radiograph, else its first of unknown view, else None."""
    unknown = (radiograph for radiograph in study.radiographs if radiograph.view_position == "unknown")
    frontal = (radiograph for radiograph in study.radiographs if radiograph.is_frontal)
    return next(frontal, None) or next(unknown, None)


def texts_of_report(study: Study, rng: np.random.Generator) -> Texts:
    """The words of a study that has a published report, without the marks of de-identification.

    The request is its impression, else its findings; both are empty where the study has no report.
    """
    sections = {part.name: clean(getattr(study.report, part.name)) for part in fields(Report)}
    report = Report(**sections)
    return Texts(report, report.impression or report.findings, study.questions)


@dataclass(frozen=True)
class StudyDataset:
    """A Dataset over studies whose pixels are files. `rejections` lists what the source had to leave out.

    `extents_mm` holds, by image_id, the height and width of films whose files were resized since: from it and
    the file's size follows the pixel spacing, when a study is asked for. `boxes` holds, by image_id, where
    readers marked findings.
    """

    studies: Sequence[Study]
    write_texts: Callable[[Study, np.random.Generator], Texts] = texts_of_report
    rejections: Rejections = field(default_factory=Rejections)
    extents_mm: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    boxes: Mapping[str, Sequence[LesionBox]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.studies)

    def __getitem__(self, index: int) -> Study:
        study = self.studies[index]
        radiographs = tuple(self._measure_spacing(radiograph) for radiograph in study.radiographs)
        return replace(study, radiographs=radiographs)

    def _measure_spacing(self, radiograph: Radiograph) -> Radiograph:
        if radiograph.image_id not in self.extents_mm:
            return radiograph
        try:
            rows, columns = images.read_size(radiograph.path)
        except UserError:  # told by `read`, which needs the pixels
            return radiograph
        height, width = self.extents_mm[radiograph.image_id]
        return replace(radiograph, pixel_spacing_mm=(height / rows, width / columns))

    def read(self, index: int, size: int | tuple[int, int] | None = None) -> np.ndarray:
        """See `Dataset.read`. Raises UserError for a study without a frontal radiograph or a bad file."""
        study = self.studies[index]
        radiograph = find_frontal(study)
        if radiograph is None:
            found = "only lateral views" if study.radiographs else "none"
            raise UserError(
                f"study {index} of the dataset: expected a frontal radiograph, found {found}; skip it"
            )
        pixels = images.read(radiograph.path)
        return pixels if size is None else images.fit(pixels, size)[0]

    def texts(self, index: int, rng: np.random.Generator) -> Texts:
        """See `Dataset.texts`."""
        return self.write_texts(self.studies[index], rng)


def keep_split(studies: Iterable[Study], split: str | None, source: str) -> list[Study]:
    """The studies of one split (all for None), in order. `source` is how the user named them, for messages.

    Raises UserError where none is left, or where a patient is in two splits.
    """
    studies = list(studies)
    if split is not None and split not in SPLITS:
        raise UserError(f"{source}: expected split={'|'.join(SPLITS)}, found split={split}; correct it")
    split_of: dict[str, str] = {}
    torn = {s.patient_id for s in studies if split_of.setdefault(s.patient_id, s.split) != s.split}
    if torn:
        raise UserError(
            f"{source}: expected every patient in one split, found {len(torn)} patients in more than one; "
            "split by patient, or leave the split column out"
        )
    kept = [study for study in studies if split in (None, study.split)]
    if not kept:
        present = ", ".join(sorted(set(split_of.values()))) or "no study at all"
        raise UserError(f"{source}: expected studies in split={split}, found {present}; choose another split")
    return kept
