"""Check whether training saw anything that is evaluated; messages give counts, never an identifier.

A model that saw the patient, on this image or on another, knows more than it could know of a new one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from llmcxr.common.errors import UserError
from llmcxr.data import Dataset, find_kind, open_dataset
from llmcxr.records import SPLITS, Study

UNKNOWN = "unknown"  # in place of the training data's name


def check_splits(evaluated: Dataset, trained: Dataset, n: int | None = None) -> None:
    """Raise UserError where an image or a patient of `evaluated` is among those of `trained`.

    `n` takes the first so many of `evaluated`, all for None. Ids are compared as they stand: two sources that
    number their patients alike by chance need other ids.
    """
    num_judged = len(evaluated) if n is None else min(n, len(evaluated))
    if evaluated.kind == trained.kind == "phantom":
        # a phantom is its seed and number: however many there are, none has to be listed
        shared = min(num_judged, len(trained)) if evaluated.seed == trained.seed else 0
        _refuse(shared, shared, num_judged)
        return
    seen_images: set[str] = set()
    seen_patients: set[str] = set()
    for study in _identify(trained, len(trained)):
        seen_patients.add(study.patient_id)
        seen_images |= _image_ids(study)
    judged = list(_identify(evaluated, num_judged))
    num_images = sum(not seen_images.isdisjoint(_image_ids(study)) for study in judged)
    num_patients = sum(study.patient_id in seen_patients for study in judged)
    _refuse(num_images, num_patients, len(judged))


def check_training(evaluated: Dataset, provenance: Mapping[str, Any], n: int, training: str = "") -> str:
    """Check the first `n` studies against the training data, and return what was found as a sentence.

    `training` names the training data; "" takes what the model's provenance names, and UNKNOWN leaves the
    check out. Where a model names none, or its files cannot be opened here, the sentence says that nothing
    was checked; the studies must then be of one split at least. Raises UserError for what training saw, and
    for several splits that cannot be checked.
    """
    if training == UNKNOWN:
        return "not checked against the training data, which are unknown"
    name = training or str(provenance.get("dataset", ""))
    try:
        trained = open_dataset(name) if name else None
    except UserError:
        if training:
            raise
        trained = None
    if trained is not None:
        check_splits(evaluated, trained, n)
        return f"no evaluated image or patient is among the {len(trained)} studies of the training data"
    check_one_split(_identify(evaluated, n))
    if not name:
        return "not checked against the training data: the model does not say what it was trained on"
    return (
        f"not checked against the training data: the {find_kind(name)} dataset it names cannot be opened here"
    )


def check_one_split(studies: Iterable[Study]) -> str:
    """Return the split of all these studies. Raises UserError with the counts where there are several."""
    counts = Counter(study.split for study in studies)
    if len(counts) != 1:
        found = ", ".join(f"{counts[split]} of {split}" for split in SPLITS if split in counts) or "none"
        raise UserError(
            f"expected studies of one split, found {found}; choose one, such as split=test, or name the "
            f"training data (--training KIND:PATH,split=train, or --training {UNKNOWN})"
        )
    return next(iter(counts))


def _identify(dataset: Dataset, n: int) -> Iterable[Study]:
    return (dataset.identify(index) for index in range(n))


def _image_ids(study: Study) -> set[str]:
    return {radiograph.image_id for radiograph in study.radiographs}


def _refuse(num_images: int, num_patients: int, num_studies: int) -> None:
    """Raise UserError where any study has an image, or a patient, that training saw."""
    if num_images or num_patients:
        raise UserError(
            f"expected studies that training did not see, found that of {num_studies} evaluated studies "
            f"{num_images} have an image and {num_patients} a patient of the training data; "
            "evaluate another split"
        )
