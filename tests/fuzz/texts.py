"""Doors for tables, reports, settings and other people's answers."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import yaml

from llmcxr.cli.train import RUN_KINDS, _run_dataclass
from llmcxr.common.config import load
from llmcxr.common.errors import UserError
from llmcxr.data import Dataset, open_dataset
from llmcxr.images import write_png
from llmcxr.labeler.chexpert import label_chexpert
from llmcxr.labeler.rules import label
from llmcxr.records import Label
from llmcxr.reports import parse_sections, scored_text
from llmcxr.systems.openai_endpoint import OpenAIEndpoint
from llmcxr.systems.opening import open_system
from llmcxr.systems.prediction_file import Predictions
from tests.fuzz.mutations import Chance

REPORT = """INDICATION: Cough, r/o pneumonia.
FINDINGS: The heart is not enlarged. There is a small left pleural effusion, and no pneumothorax.
Lungs: clear; possible nodule in the right upper zone.
IMPRESSION:
1. Small left effusion.  2. No acute disease, versus atelectasis?
"""
TABLE = f"""image,text,patient_id,study_id,split,view_position,sex,age
a.png,"{REPORT}",p1,s1,train,PA,F,61
b.png,Clear lungs.,p2,s2,test,AP,M,
b.png,,p2,s2,test,LATERAL,M,7
,Large right pneumothorax.,p3,s3,val,,,
"""
NIH = """Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,\
OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]
a.png,Cardiomegaly|Effusion,0,1,058Y,M,PA,2682,2749,0.143,0.143
b.png,No Finding,1,2,58,F,AP,2000,1000,0.2,0.1
"""
BOXES = "Image Index,Finding Label,Bbox [x,y,w,h]\na.png,Effusion,1,2,10,12\n"
XML = """<?xml version="1.0" encoding="utf-8"?><eCitation><uId id="CXR7"/>
<AbstractText Label="INDICATION">Cough</AbstractText>
<AbstractText Label="FINDINGS">Large heart.</AbstractText>
<AbstractText Label="IMPRESSION">Cardiomegaly.</AbstractText>
<MeSH><major>Cardiomegaly/mild</major><automatic>heart</automatic></MeSH>
<parentImage id="a"/><parentImage id="b"/></eCitation>"""


def write_pictures(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("a.png", "b.png"):
        write_png(folder / name, np.linspace(0, 1, 20 * 24, dtype=np.float32).reshape(20, 24))


def write(path: Path, chance: Chance, text: str, other: str = TABLE) -> None:
    """Write a text with damage: as text, or as bytes, and packed now and then."""
    if chance.happens(0.7):
        content = chance.damage_text(text).encode("utf-8", "surrogateescape")
    else:
        content = chance.damage(text.encode(), other.encode())
    path.write_bytes(content)


def check_dataset(dataset: Dataset) -> None:
    """Read all of a dataset; an image that cannot be read is a UserError of its own."""
    assert len(dataset) > 0
    for index in range(len(dataset)):
        study = dataset[index]
        assert study.study_id and study.patient_id and study.split in ("train", "validate", "test")
        assert all(isinstance(state, Label) for state in study.labels.values())
        assert all(one.age_years is None or 0 <= one.age_years < 200 for one in study.radiographs)
        dataset.texts(index, np.random.default_rng(0))
        with suppress(UserError):
            pixels = dataset.read(index, 16)
            assert pixels.shape == (16, 16) and np.isfinite(pixels).all()


class CsvTables:
    weight = 10

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "csv"
        write_pictures(self.folder)

    def try_one(self, chance: Chance) -> None:
        write(self.folder / "t.csv", chance, TABLE)
        keys = chance.pick(("", ",split=train", ",skip_bad=1", ",split=val"))
        check_dataset(open_dataset(f"csv:{self.folder / 't.csv'}{keys}"))


class NihFolders:
    weight = 5

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "nih"
        write_pictures(self.folder / "images_001" / "images")

    def try_one(self, chance: Chance) -> None:
        files = {"Data_Entry.csv": NIH, "BBox_List_2017.csv": BOXES, "test_list.txt": "b.png\n"}
        damaged = chance.pick(list(files))
        for name, text in files.items():
            if name == damaged:
                write(self.folder / name, chance, text, NIH)
            else:
                (self.folder / name).write_text(text)
        check_dataset(open_dataset(f"nih:{self.folder}"))


class OpeniFolders:
    weight = 5

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "openi"
        write_pictures(self.folder)

    def try_one(self, chance: Chance) -> None:
        xml = XML.encode() if chance.happens(0.3) else chance.damage(XML.encode(), REPORT.encode())
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            for name, content in (("a.xml", xml), ("b.xml", XML.replace("CXR7", "CXR8").encode())):
                info = tarfile.TarInfo(f"ecgen-radiology/{name}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        packed = file.getvalue()
        if chance.happens(0.4):
            packed = chance.damage(packed)
        (self.folder / "NLMCXR_reports.tgz").write_bytes(packed)
        headers = gzip.compress(b"imageid,View Position,Patient's Sex\na,PA,F\nb,LL,M\n")
        if chance.happens(0.2):
            headers = chance.damage(headers)
        (self.folder / "nlmcxr_dicom_metadata.csv.gz").write_bytes(headers)
        check_dataset(open_dataset(f"openi:{self.folder}"))


class PredictionFiles:
    weight = 8

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "predictions"
        write_pictures(self.folder)
        rows = [
            {"id": "s1", "report": REPORT},
            {"id": "s2", "findings": "Clear lungs.", "impression": "Normal."},
            {"id": "s1", "question": "Is there an effusion?", "answer": "Yes."},
        ]
        self.lines = "".join(json.dumps(row) + "\n" for row in rows)
        table = io.StringIO()
        writer = csv.DictWriter(table, ("id", "report", "question", "answer"))
        writer.writeheader()
        writer.writerows([{"id": "s1", "report": REPORT}, {"id": "s1", "question": "a?", "answer": "b"}])
        self.table = table.getvalue()
        (self.folder / "t.csv").write_text(TABLE)
        self.studies = list(open_dataset(f"csv:{self.folder / 't.csv'}"))

    def try_one(self, chance: Chance) -> None:
        name, text = chance.pick((("p.csv", self.table), ("p.jsonl", self.lines)))
        write(self.folder / name, chance, text, self.table)
        predictions = Predictions.read(self.folder / name).for_studies(self.studies)
        if "report" in predictions.abilities:
            assert all(isinstance(text, str) for text in predictions.reports_for(["s1"]))


class Configurations:
    """Configurations of each kind, and settings that differ on the command line."""

    weight = 8

    def __init__(self, folder: Path) -> None:
        self.path = folder / "config.yaml"
        places = sorted(Path(__file__).resolve().parents[2].glob("configs/*/*.yaml"))
        self.texts = [place.read_text(encoding="utf-8") for place in places]
        self.seeds = [yaml.safe_load(text) for text in self.texts]
        self.kinds = {kind: lambda kind=kind: _run_dataclass(kind) for kind in RUN_KINDS}

    def try_one(self, chance: Chance) -> None:
        tree, overrides = chance.pick(self.seeds), []
        if chance.happens(0.5):
            self.path.write_text(yaml.safe_dump(_plain(chance.damage_tree(tree))), encoding="utf-8")
        elif chance.happens(0.5):
            write(self.path, chance, chance.pick(self.texts), REPORT)
        else:
            self.path.write_text(yaml.safe_dump(tree), encoding="utf-8")
            overrides = [chance.damage_text("dataset=csv:a.csv") for _ in range(1 + chance.below(2))]
            overrides += [f"{chance.pick(list(tree))}={chance.value()}"]
        settings = load(self.path, overrides, kinds=self.kinds)
        assert settings.kind in RUN_KINDS


def _plain(tree: object) -> object:
    """Make keys and texts such as YAML can hold: it has no lone surrogates."""
    if isinstance(tree, dict):
        return {_plain(key): _plain(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_plain(value) for value in tree]
    return tree.encode("utf-8", "replace").decode() if isinstance(tree, str) else tree


class Specs:
    """Strings that open datasets and systems."""

    weight = 8
    SEEDS = (
        "phantom:n=2,seed=0", "csv:t.csv,split=train", "nih:folder", "openi:folder", "dicom:folder,split=val",
        "file:p.csv", "prior:phantom:n=2", "openai:http://localhost:1/v1,model=m", "phantom", "hf:dir",
    )  # fmt: skip

    def __init__(self, folder: Path) -> None:
        pass

    def try_one(self, chance: Chance) -> None:
        text = chance.damage_text(chance.pick(self.SEEDS))
        if chance.happens(0.6):
            assert open_dataset(text).name
        else:
            assert open_system(text, "cpu").abilities


class Reports:
    """Report texts, to be split and labelled."""

    weight = 8

    def __init__(self, folder: Path) -> None:
        pass

    def try_one(self, chance: Chance) -> None:
        text = chance.damage_text(REPORT * (1 if chance.happens(0.98) else 200))
        report = parse_sections(text)
        assert isinstance(report.findings, str) and isinstance(report.impression, str)
        assert isinstance(scored_text(text), str)
        for states in (label(text), label_chexpert(text), label_chexpert(report)):
            assert all(isinstance(state, Label) for state in states.values())
        # blanks around a text are none of its words
        assert parse_sections(f"\n  {text.strip()}  \n") == parse_sections(text.strip())


ANSWER = {"choices": [{"message": {"content": REPORT}, "finish_reason": "stop"}]}


class Endpoints:
    """Answers of an endpoint on this machine."""

    weight = 4

    def __init__(self, folder: Path) -> None:
        self.says = (200, b"")
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                status, content = door.says
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        self.endpoint = OpenAIEndpoint(url, "model", attempts=1, wait_s=0.0, timeout_s=5.0)

    def try_one(self, chance: Chance) -> None:
        tree = chance.damage_tree(ANSWER) if chance.happens(0.7) else ANSWER
        content = json.dumps(tree).encode()
        status = chance.pick((200, 200, 200, 200, 201, 204, 301, 401, 404, 429, 500, 599))
        self.says = (status, chance.damage(content) if chance.happens(0.4) else content)
        (result,) = self.endpoint.report([np.zeros((20, 20), np.float32)])
        assert isinstance(result.text, str)
