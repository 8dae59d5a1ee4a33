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

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from llmcxr.common.errors import UserError
from llmcxr.common.rejections import Rejections
from llmcxr.data.archive import read_members
from llmcxr.data.dataset import StudyDataset, keep_split
from llmcxr.data.tables import Row, find_files, parse_sex, read_table
from llmcxr.findings import FINDING_OF_OPENI_HEADING
from llmcxr.images.dicom.views import parse_view
from llmcxr.records import Label, Radiograph, Report, Study, split_by_patient

REPORTS = "NLMCXR_reports.tgz"
HEADERS = "nlmcxr_dicom_metadata.csv.gz"
REPORT = "a report in the publisher's XML"
LARGEST_REPORT = 2**20  # bytes: the publisher's have 9,000 at most
SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm")
UNCERTAIN_QUALIFIERS = frozenset({"borderline", "possible"})
MERGED = frozenset({"Airspace Disease", "Consolidation"})  # headings of one name of ours
UNTAGGED = ("no indexing", "technical quality of image unsatisfactory")  # tags that say nothing of the chest


def open_openi(
    path: str, split: str | None = None, images: str | None = None, skip_bad: bool = False
) -> StudyDataset:
    """Open DIR (or the tgz itself). Reports that cannot be parsed are left out and listed in `rejections`;
    with `skip_bad` malformed rows of the table of headers too, which otherwise raise UserError.
    """
    reports = _find_reports(Path(path))
    folder = reports.parent if images is None else Path(images)
    if not folder.is_dir():
        raise UserError(f"{folder}: expected the folder of the Open-i images, found none; check images=")
    subfolders = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    files = find_files([folder, *subfolders], SUFFIXES)
    rejections = Rejections()
    headers = _read_headers(reports.parent / HEADERS, rejections if skip_bad else None) if files else {}
    studies = []
    for name, text in read_members(reports, ".xml", LARGEST_REPORT, "Open-i's archive of reports"):
        with rejections.skip(name):
            studies.append(_parse_study(_parse_xml(text), files, headers))
    rejections.write()
    extents = {image_id: extent for image_id, row in headers.items() if (extent := _find_extent(row))}
    kept = keep_split(studies, split, f"openi:{path}")
    return StudyDataset(kept, rejections=rejections, extents_mm=extents)


def _parse_xml(text: bytes | None) -> ElementTree.Element:
    """Parse a report; `text` is None where it was too large to be one."""
    if text is None:
        raise UserError(f"expected a report of at most {LARGEST_REPORT:,} bytes, found a larger file")
    try:
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:  # no report has one, and entities can be bombs
            raise ValueError
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise UserError(f"expected {REPORT}, found another file or a damaged one") from error


def _find_reports(path: Path) -> Path:
    reports = path / REPORTS if path.is_dir() else path
    if not reports.is_file():
        raise UserError(f"{path}: expected a folder with {REPORTS}, found none; download it from Open-i")
    return reports


def _read_headers(path: Path, rejections: Rejections | None) -> dict[str, Row]:
    """Return the DICOM headers' table by image id; empty where it is not there."""
    if not path.is_file():
        return {}
    return {row["imageid"]: row for row in read_table(path, ("imageid", "View Position"), rejections)}


def _parse_study(
    root: ElementTree.Element, files: Mapping[str, Path], headers: Mapping[str, Mapping[str, str]]
) -> Study:
    patient_id = root.find("uId").get("id") if root.find("uId") is not None else None
    if not patient_id:
        raise UserError(f"expected {REPORT}, found one without a uId")
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
