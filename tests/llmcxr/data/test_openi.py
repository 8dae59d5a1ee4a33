"""Open-i in the publisher's layout: made small here, and the real reports where they are."""

from __future__ import annotations

import csv
import gzip
import io
import tarfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.data import open_dataset
from llmcxr.data.openi import _parse_tags
from llmcxr.findings import FINDING_OF_OPENI_HEADING
from llmcxr.records import Label

RNG = np.random.default_rng(0)
XML = """<?xml version="1.0" encoding="utf-8"?><eCitation><uId id="CXR7"/>
<AbstractText Label="COMPARISON"/>
<AbstractText Label="INDICATION">Cough</AbstractText>
<AbstractText Label="FINDINGS">The   heart is
 XXXX large.</AbstractText>
<AbstractText Label="IMPRESSION">Cardiomegaly.</AbstractText>
<MeSH><major>Cardiomegaly/mild</major><automatic>heart</automatic></MeSH>
<parentImage id="CXR7_IM-0001-1001"/><parentImage id="CXR7_IM-0001-2001"/></eCitation>"""


def _make(folder: Path, **members: str) -> str:
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / "NLMCXR_reports.tgz", "w:gz") as archive:
        for name, text in members.items():
            info = tarfile.TarInfo(f"ecgen-radiology/{name}.xml")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return f"openi:{folder}"


def _write_headers(folder: Path) -> None:
    rows = [
        {"imageid": "CXR7_IM-0001-1001", "View Position": "", "Patient Orientation": "['A', 'F']"},
        {
            "imageid": "CXR7_IM-0001-2001",
            "View Position": "PA",
            "Patient's Sex": "F",
            "Patient's Birth Date": "19500101",
            "Study Date": "20100101",
            "Pixel Spacing": "['0.2', '0.1']",
            "Rows": "2000",
            "Columns": "1000",
        },
    ]
    with gzip.open(folder / "nlmcxr_dicom_metadata.csv.gz", "wt", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list({key: None for row in rows for key in row}))
        writer.writeheader()
        writer.writerows(rows)


def test_a_report_without_images(tmp_path):
    (study,) = open_dataset(_make(tmp_path, a=XML))
    assert (study.study_id, study.patient_id, study.radiographs) == ("CXR7", "CXR7", ())
    assert study.report.findings == "The heart is XXXX large." and study.report.comparison == ""
    assert study.labels == {"cardiomegaly": Label.PRESENT}


def test_images_and_their_headers(tmp_path):
    name = _make(tmp_path, a=XML)
    _write_headers(tmp_path)
    picture = np.full((100, 50), 0.5, np.float32)
    images.write_png(tmp_path / "png" / "CXR7_IM-0001-1001.png", picture)
    images.write_png(tmp_path / "png" / "7_IM-0001-2001.png", picture)
    for dataset in (open_dataset(name), open_dataset(f"{name},images={tmp_path / 'png'}")):
        lateral, frontal = dataset[0].radiographs
        assert (lateral.view_position, frontal.view_position) == ("lateral", "PA")
        assert (frontal.sex, frontal.age_years) == ("F", 60)
        assert frontal.pixel_spacing_mm == pytest.approx((4.0, 2.0))
        assert dataset.read(0).shape == (100, 50)


def test_tags():
    assert _parse_tags(["normal"]) == dict.fromkeys(FINDING_OF_OPENI_HEADING.values(), Label.ABSENT)
    assert _parse_tags(["Cardiomegaly/borderline", "Aorta/tortuous", "No Indexing"]) == {
        "cardiomegaly": Label.UNCERTAIN,
        "aorta/tortuous": Label.PRESENT,
    }
    assert _parse_tags(["Pulmonary Edema/mild", "Pulmonary Edema/possible"]) == {"edema": Label.PRESENT}


def test_bad_members_are_left_out(tmp_path):
    dataset = open_dataset(_make(tmp_path, a=XML, b="<eCitation><uId", c="<eCitation/>"))
    assert len(dataset) == 1
    assert [name for name, _ in dataset.rejections] == ["b.xml", "c.xml"]


ENTITIES = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in pairwise("abcdefgh")
)


@pytest.mark.parametrize(
    "text",
    [
        ENTITIES + "]><eCitation><uId id='CXR8'/>&h;</eCitation>",  # 100 MB once its entities are put in
        "<!DOCTYPE a SYSTEM 'file:///etc/hostname'><eCitation><uId id='CXR8'/></eCitation>",
        "<?xml version='1.0' encoding='no-such'?><eCitation><uId id='CXR8'/></eCitation>",
        "<eCitation>" + "<a>" * 100_000,
        "<eCitation><uId id='CXR8'/>" + "x" * 2**20 + "</eCitation>",
        "",
    ],
)
def test_xml_that_is_no_report_is_left_out(tmp_path, text):
    dataset = open_dataset(_make(tmp_path, a=XML, b=text))
    assert [study.study_id for study in dataset] == ["CXR7"]
    assert [name for name, _ in dataset.rejections] == ["b.xml"]


def test_a_damaged_table_of_headers_is_named(tmp_path):
    name = _make(tmp_path, a=XML)
    _write_headers(tmp_path)
    images.write_png(tmp_path / "CXR7_IM-0001-1001.png", np.full((10, 10), 0.5, np.float32))
    table = tmp_path / "nlmcxr_dicom_metadata.csv.gz"
    packed = bytearray(table.read_bytes())
    packed[60:80] = b"\xff" * 20
    table.write_bytes(packed)
    with pytest.raises(UserError, match=r"metadata\.csv\.gz: .* damaged or cut short; download it again"):
        open_dataset(name)


def test_malformed_rows_of_the_headers_are_left_out_where_that_is_asked_for(tmp_path):
    name = _make(tmp_path, a=XML)
    images.write_png(tmp_path / "CXR7_IM-0001-1001.png", np.full((10, 10), 0.5, np.float32))
    rows = b"imageid,View Position\nCXR7_IM-0001-1001,PA\nCXR8_IM,PA,?\n"
    (tmp_path / "nlmcxr_dicom_metadata.csv.gz").write_bytes(gzip.compress(rows))
    with pytest.raises(UserError, match=r"row 2 \(line 3\)"):
        open_dataset(name)
    dataset = open_dataset(f"{name},skip_bad=yes")
    assert dataset[0].radiographs[0].view_position == "PA"
    assert [place for place, _ in dataset.rejections] == ["row 2 (line 3)"]


def test_a_bad_archive_or_folder_is_named(tmp_path):
    (tmp_path / "NLMCXR_reports.tgz").write_bytes(b"no archive")
    with pytest.raises(UserError, match="damaged"):
        open_dataset(f"openi:{tmp_path}")
    with pytest.raises(UserError, match="check images="):
        open_dataset(f"{_make(tmp_path, a=XML)},images={tmp_path / 'none'}")


def test_the_real_reports(shared_data):
    dataset = open_dataset(f"openi:{shared_data / 'openi'}")
    assert len(dataset) == 3955 and len(dataset.rejections) == 0
    splits = {
        split: {s.patient_id for s in dataset if s.split == split} for split in ("train", "validate", "test")
    }
    assert sum(len(patients) for patients in splits.values()) == len(set.union(*splits.values()))
    assert 0.08 < len(splits["test"]) / len(dataset) < 0.12
    assert sum(bool(study.report) for study in dataset) > 3900
    assert sum(study.labels.get("cardiomegaly") is Label.PRESENT for study in dataset) > 300
    assert not any("XXXX" in dataset.texts(index, RNG).request for index in range(0, 3955, 50))
