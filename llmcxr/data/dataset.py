"""Define the one shape of every source: studies that give images and texts. Knows no publisher's format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.common.rejections import Rejections
from llmcxr.records import LesionBox, Question, Radiograph, Report, Study
from llmcxr.reports import clean

if TYPE_CHECKING:
    from llmcxr.data.phantom.case import PhantomCase


@dataclass(frozen=True)
class Texts:
    """Holds the texts of a study for one step: its report, a request that would draw it, questions."""

    report: Report
    request: str
    questions: tuple[Question, ...] = ()


class Dataset(ABC):
    """Gives studies by index from 0. Every source gives studies and their pixels; the rest has defaults.

    What only some sources know (`case`, `finding_map`, `salience`, `boxes`) is None or () of the others, so
    that nobody has to ask what a dataset is before using it.
    """

    name: str = ""  # the string that opened it, as the user wrote it
    kind: str = ""  # that string's KIND, see data.opening
    is_synthetic: bool = False  # its images are computed: they show no patient and are no files
    rejections: Rejections = Rejections()  # what the source had to leave out, each with the reason

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Study: ...

    @abstractmethod
    def read(self, index: int, size: int | None = None) -> np.ndarray:
        """Read the study's first frontal radiograph, (H, W) float32 in [0, 1].

        `size` letterboxes it to that many pixels a side.

        Raises UserError for a study without a frontal radiograph or a file that cannot be read.
        """

    def __iter__(self) -> Iterator[Study]:
        return (self[index] for index in range(len(self)))

    def identify(self, index: int) -> Study:
        """Return the study's ids and split and its radiographs' ids; the rest where it costs nothing."""
        return self[index]

    def read_many(self, indices: Sequence[int], size: int) -> np.ndarray:
        """Read several studies, (n, size, size) float32 in [0, 1]."""
        return np.stack([self.read(index, size) for index in indices])

    def texts(self, index: int, rng: np.random.Generator) -> Texts:
        """Return the study's texts. The phantom words them anew with `rng`; files give what they have."""
        return texts_of_report(self[index], rng)

    def case(self, index: int) -> PhantomCase | None:
        """Return everything that decided the study's image, where the image was computed."""
        return None

    def finding_map(self, index: int, grid: tuple[int, int]) -> np.ndarray | None:
        """Return how much of each cell each finding covers, (findings, rows, columns) float32 in 0..1."""
        return None

    def salience(self, index: int, size: int) -> np.ndarray | None:
        """Return where small findings are, (size, size) float32 in 0..1: a weight of a tokenizer's pixels."""
        return None

    def boxes(self, index: int) -> Sequence[LesionBox]:
        """Return where readers marked findings on the radiograph that `read` gives."""
        return ()


def find_frontal(study: Study) -> Radiograph | None:
    """Return the study's first PA or AP radiograph, else its first of unknown view, else None."""
    unknown = (radiograph for radiograph in study.radiographs if radiograph.view_position == "unknown")
    frontal = (radiograph for radiograph in study.radiographs if radiograph.is_frontal)
    return next(frontal, None) or next(unknown, None)


def texts_of_report(study: Study, rng: np.random.Generator) -> Texts:
    """Return the texts of a study that has a published report, without the marks of de-identification.

    The request is its impression, else its findings; both are empty where the study has no report.
    """
    sections = {part.name: clean(getattr(study.report, part.name)) for part in fields(Report)}
    report = Report(**sections)
    return Texts(report, report.impression or report.findings, study.questions)


@dataclass(eq=False)
class StudyDataset(Dataset):
    """Reads studies whose pixels are files.

    `extents_mm` holds, by image_id, the height and width of radiographs whose files were resized since: the
    pixel spacing follows from it and the file's size, when a study is asked for. `marked` holds, by image_id,
    where readers marked findings.
    """

    studies: Sequence[Study]
    write_texts: Callable[[Study, np.random.Generator], Texts] = texts_of_report
    rejections: Rejections = field(default_factory=Rejections)
    extents_mm: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    marked: Mapping[str, Sequence[LesionBox]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.studies)

    def __getitem__(self, index: int) -> Study:
        study = self.studies[index]
        radiographs = tuple(self._measure_spacing(radiograph) for radiograph in study.radiographs)
        return replace(study, radiographs=radiographs)

    def identify(self, index: int) -> Study:
        """See `Dataset.identify`. Opens no file."""
        return self.studies[index]

    def _measure_spacing(self, radiograph: Radiograph) -> Radiograph:
        if radiograph.image_id not in self.extents_mm:
            return radiograph
        try:
            rows, columns = images.read_size(radiograph.path)
        except UserError:  # raised by `read`, which needs the pixels
            return radiograph
        height, width = self.extents_mm[radiograph.image_id]
        return replace(radiograph, pixel_spacing_mm=(height / rows, width / columns))

    def read(self, index: int, size: int | None = None) -> np.ndarray:
        """See `Dataset.read`."""
        study = self.studies[index]
        radiograph = find_frontal(study)
        if radiograph is None:
            found = "only lateral or other views" if study.radiographs else "none"
            raise UserError(
                f"study {index} of the dataset: expected a frontal radiograph, found {found}; skip it"
            )
        pixels = images.read(radiograph.path)
        return pixels if size is None else images.fit(pixels, size)[0]

    def texts(self, index: int, rng: np.random.Generator) -> Texts:
        """See `Dataset.texts`."""
        return self.write_texts(self.studies[index], rng)

    def boxes(self, index: int) -> Sequence[LesionBox]:
        """See `Dataset.boxes`."""
        radiograph = find_frontal(self.studies[index])
        return self.marked.get(radiograph.image_id, ()) if radiograph else ()


def keep_split(studies: Iterable[Study], split: str | None, source: str) -> list[Study]:
    """Keep the studies of one split (all for None), in order. `source` is how the user named them, for
    messages.

    Raises UserError where none is left, or where a patient is in two splits.
    """
    studies = list(studies)
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
