"""Find which study of a dataset an id means that somebody wrote elsewhere. Knows no file's format.

Ids of one study are spelled in many ways: an image's name with or without its ending or folders, `s123` for
`123`, `123.0`, other capitals, zeros in front, the study's folder before an image, the patient's where that
has one study. The spellings are compared from the strictest to the loosest. Each step matches only what is
left, and only where one id and one study mean each other alone.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from itertools import product
from pathlib import PurePosixPath

from llmcxr.data.dataset import find_frontal
from llmcxr.records import Study

_ENDING = re.compile(r"(?:\.(?:png|jpe?g|jp2|dcm|dicom|ima|tiff?|bmp|gif|webp|npy|npz|nii|gz|txt|xml))+$")
_FLOAT = re.compile(r"(\d+)\.0+")
_BARE = re.compile(r"(?:s|study|studyid|study_id|study id|cxr|case|id|row)[-_ #:]*(\d+)")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")

Spelling = Callable[[str], list[str]]  # an id -> what it is compared by, the longest first


def match_ids(ids: Iterable[str], studies: Sequence[Study]) -> dict[str, str]:
    """Return the study_id that each of `ids` means; those that mean no study, or not surely one, are missing.

    Several ids may mean one study where they name its different radiographs: the first frontal one is taken
    before the others, and where the study was named by another id already, these are "".
    """
    ids, taken, matched = list(dict.fromkeys(ids)), set(), {}
    patients = Counter(study.patient_id for study in studies)

    def only_study(study: Study) -> list[str]:
        return [study.patient_id] if patients[study.patient_id] == 1 else []

    steps = [*product(_SPELLINGS, _NAMES), *product(_SPELLINGS[:3], (only_study,)), (_IN_FOLDER, _study_id)]
    for (of_id, of_study), names in steps:
        open_ids = [one for one in ids if one not in matched]
        if not open_ids:
            break
        owners = defaultdict(set)
        for place, study in enumerate(studies):
            for name in names(study):
                for key in of_study(name):
                    owners[key].add(place)
        claims = defaultdict(list)
        for one in open_ids:
            place = _find_owner(of_id(one), owners)
            if place is not None and not _names_other_patient(one, studies[place], patients):
                claims[place].append(one)
        for place, claiming in claims.items():
            if names is _other_images and place in taken:
                matched |= dict.fromkeys(claiming, "")
            elif place not in taken and len(claiming) == 1:
                matched[claiming[0]] = studies[place].study_id
                taken.add(place)
    return matched


def _find_owner(keys: Sequence[str], owners: dict[str, set[int]]) -> int | None:
    """Return the one study that has the first key that any has."""
    places = next((owners[key] for key in keys if key in owners), set())
    return next(iter(places)) if len(places) == 1 else None


def _names_other_patient(one: str, study: Study, patients: Container[str]) -> bool:
    """Tell whether a folder in an id is another patient's: p2/s1 is no study s1 of p1."""
    folders = one.replace("\\", "/").split("/")[:-1]
    return any(folder in patients and folder != study.patient_id for folder in folders)


def _study_id(study: Study) -> list[str]:
    return [study.study_id]


def _frontal_image(study: Study) -> list[str]:
    frontal = find_frontal(study)
    return [frontal.image_id, frontal.path] if frontal else []


def _other_images(study: Study) -> list[str]:
    frontal = find_frontal(study)
    return [name for one in study.radiographs if one != frontal for name in (one.image_id, one.path)]


_NAMES = (_study_id, _frontal_image, _other_images)


def _exact(name: str) -> list[str]:
    return [name]


def _folded(name: str) -> list[str]:
    return [" ".join(name.replace("\\", "/").casefold().strip("\"' ").split())]


def _ended(name: str) -> list[str]:
    folded = _ENDING.sub("", _folded(name)[0])
    number = _FLOAT.fullmatch(folded)
    return [number[1] if number else folded]


def _suffixes(name: str) -> list[str]:
    parts = [part for part in PurePosixPath(_ended(name)[0]).parts if part not in ("/", ".", "..")]
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _bare(name: str) -> list[str]:
    return [match[1] for key in _suffixes(name)[-1:] if (match := _BARE.fullmatch(key))]


def _last(name: str) -> list[str]:
    return _suffixes(name)[-1:]


def _folders(name: str) -> list[str]:
    """Spell the folders that an image lies in, the innermost first: p1/s2/film.jpg -> s2, 2, p1."""
    folders = _folded(name)[0].split("/")[-2::-1]
    return [key for folder in folders for key in (folder, *_bare(folder)) if key]


def _without_zeros(spelling: Spelling) -> Spelling:
    return lambda name: [_ZEROS.sub("", key) for key in spelling(name)]


# How the file's ids and the dataset's are compared. A letter in front is taken off one side alone, so that a
# study s1 is never a case 1; the same with zeros comes last.
_SPELLINGS: tuple[tuple[Spelling, Spelling], ...] = (
    (_exact, _exact),
    (_folded, _folded),
    (_ended, _ended),
    (_suffixes, _suffixes),
    (_last, _bare),
    (_bare, _last),
    (_without_zeros(_last), _without_zeros(_last)),
    (_without_zeros(_last), _without_zeros(_bare)),
    (_without_zeros(_bare), _without_zeros(_last)),
)
_IN_FOLDER: tuple[Spelling, Spelling] = (_folders, _last)
