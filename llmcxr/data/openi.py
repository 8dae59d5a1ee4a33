"""Open-i, the Indiana University chest radiographs: 3,955 reports of as many patients, 7,470 images.

Access: free download from the National Library of Medicine (https://openi.nlm.nih.gov/faq), CC BY-NC-ND 4.0.
Cite Demner-Fushman et al., "Preparing a collection of radiology examinations for distribution and retrieval",
JAMIA 23(2), 2016. De-identification left XXXX in the reports; `Study.report` keeps it, `texts` removes it.

DIR holds `NLMCXR_reports.tgz`, read in place. Images, where there are any, are looked for in DIR, its
subfolders, or `images=FOLDER`: the publisher's .png, .jpg or .dcm by their names. A study without images has
none. Where `nlmcxr_dicom_metadata.csv.gz` (Kaggle's and the publisher's table of the DICOM headers) lies
beside the reports it gives view, sex, age and pixel spacing; it has no view for a third of the images, many
of them lateral.

Labels are the publisher's MeSH tags: those of `llmcxr.findings` under our names ("borderline" is uncertain),
any other as the whole tag in lower case; a study tagged "normal" has all of those findings absent. Airspace
disease and consolidation, which share our name, are given as whole tags besides, so that they can be told
apart. The split is a hash of the patient.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from llmcxr.common.errors import UserError
from llmcxr.common.rejections import Rejections
from llmcxr.data.dataset import StudyDataset, keep_split
from llmcxr.data.tables import find_files, parse_sex, parse_view, read_table
from llmcxr.findings import FINDING_OF_OPENI_HEADING
from llmcxr.records import Label, Radiograph, Report, Study, split_by_patient

REPORTS = "NLMCXR_reports.tgz"
HEADERS = "nlmcxr_dicom_metadata.csv.gz"
SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm")
UNCERTAIN_QUALIFIERS = frozenset({"borderline", "possible"})
MERGED = frozenset({"Airspace Disease", "Consolidation"})  # headings of one name of ours
UNTAGGED = ("no indexing", "technical quality of image unsatisfactory")  # tags that say nothing of the chest


def open_openi(path: str, split: str | None = None, images: str | None = None) -> StudyDataset:
    """Open DIR (or the tgz itself). Reports that cannot be parsed are left out and listed in `rejections`."""
    reports = _find_reports(Path(path))
    folder = reports.parent if images is None else Path(images)
    if not folder.is_dir():
        raise UserError(f"{folder}: expected the folder of the Open-i images, found none; check images=")
    subfolders = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    files = find_files([folder, *subfolders], SUFFIXES)
    headers = _read_headers(reports.parent / HEADERS) if files else {}
    rejections = Rejections()
    studies = []
    for name, text in _read_members(reports):
        try:
            studies.append(_parse_study(ElementTree.fromstring(text), files, headers))
        except (ElementTree.ParseError, ValueError):
            rejections.add(name, "not a report in the publisher's XML")
    rejections.write()
    extents = {image_id: extent for image_id, row in headers.items() if (extent := _find_extent(row))}
    kept = keep_split(studies, split, f"openi:{path}")
    return StudyDataset(kept, rejections=rejections.entries, extents_mm=extents)


def _find_reports(path: Path) -> Path:
    reports = path / REPORTS if path.is_dir() else path
    if not reports.is_file():
        raise UserError(f"{path}: expected a folder with {REPORTS}, found none; download it from Open-i")
    return reports


def _read_members(reports: Path) -> Iterator[tuple[str, bytes]]:
    """Give the name and text of every XML file in the archive, in its order, without unpacking it."""
    try:
        with tarfile.open(reports) as archive:
            for member in archive:
                if member.isfile() and member.name.endswith(".xml"):
                    yield Path(member.name).name, archive.extractfile(member).read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UserError(
            f"{reports}: expected Open-i's archive of reports, found one that is damaged; download it again"
        ) from error


def _read_headers(path: Path) -> dict[str, dict[str, str]]:
    """Return the DICOM headers' table by image id; empty where it is not there."""
    if not path.is_file():
        return {}
    return {row["imageid"]: row for row in read_table(path, ("imageid", "View Position"))}


def _parse_study(
    root: ElementTree.Element, files: Mapping[str, Path], headers: Mapping[str, Mapping[str, str]]
) -> Study:
    patient_id = root.find("uId").get("id") if root.find("uId") is not None else None
    if not patient_id:
        raise ValueError("no uId")
    image_ids = [image.get("id", "") for image in root.iter("parentImage")]
    radiographs = [
        _build_radiograph(image_id, patient_id, path, headers.get(image_id, {}))
        for image_id in image_ids
        if (path := _find_image(image_id, files)) is not None
    ]
    sections = {text.get("Label", "").lower(): _join_text(text) for text in root.iter("AbstractText")}
    names = ("indication", "comparison", "findings", "impression")
    return Study(
        study_id=patient_id,
        patient_id=patient_id,
        radiographs=tuple(radiographs),
        report=Report(**{name: sections.get(name, "") for name in names}),
        labels=_parse_tags([_join_text(tag) for tag in root.iterfind("MeSH/major")]),
        split=split_by_patient(patient_id),
    )


def _join_text(element: ElementTree.Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _find_image(image_id: str, files: Mapping[str, Path]) -> Path | None:
    """Find an image's file by its id, or without CXR as in the DICOM archive (1_IM-0001-3001.dcm)."""
    names = (image_id, image_id.removeprefix("CXR"))
    return next((files[name] for name in names if name in files), None)


def _build_radiograph(image_id: str, patient_id: str, path: Path, header: Mapping[str, str]) -> Radiograph:
    return Radiograph(
        image_id=image_id,
        study_id=patient_id,
        patient_id=patient_id,
        path=str(path),
        view_position=_find_view(header),
        sex=parse_sex(header.get("Patient's Sex", "")),
        age_years=_find_age(header),
    )


def _find_view(header: Mapping[str, str]) -> str:
    """Return the view position; where none is given, rows that run front to back show a lateral."""
    view = parse_view(header.get("View Position", ""))
    is_sideways = header.get("Patient Orientation", "").startswith(("['A'", "['P'"))
    return "lateral" if view == "unknown" and is_sideways else view


def _find_age(header: Mapping[str, str]) -> float | None:
    try:
        born, taken = (
            datetime.strptime(header.get(key, ""), "%Y%m%d") for key in ("Patient's Birth Date", "Study Date")
        )
    except ValueError:
        return None
    years = (taken - born).days / 365.25
    return round(years, 1) if 0 <= years <= 120 else None


def _find_extent(header: Mapping[str, str]) -> tuple[float, float] | None:
    """Return height and width in mm: spacing, written as "['0.15', '0.15']", times rows and columns."""
    try:
        down, across = (float(part.strip(" []'")) for part in header["Pixel Spacing"].split(","))
        return down * float(header["Rows"]), across * float(header["Columns"])
    except (KeyError, ValueError):
        return None


def _parse_tags(tags: list[str]) -> dict[str, Label]:
    """Parse MeSH tags such as `Cardiomegaly/mild` -> labels; see the module's docstring."""
    if tags == ["normal"]:
        return dict.fromkeys(sorted(set(FINDING_OF_OPENI_HEADING.values())), Label.ABSENT)
    labels: dict[str, Label] = {}
    for tag in tags:
        heading, *qualifiers = tag.split("/")
        name = FINDING_OF_OPENI_HEADING.get(heading, tag.lower())
        if name in UNTAGGED or name == "normal":
            continue
        is_uncertain = not UNCERTAIN_QUALIFIERS.isdisjoint(qualifiers)
        for key in (name, tag.lower()) if heading in MERGED else (name,):
            if labels.get(key) is not Label.PRESENT:
                labels[key] = Label.UNCERTAIN if is_uncertain else Label.PRESENT
    return labels
