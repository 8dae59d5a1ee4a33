"""The doors, with a model in the house that only remembers what it was asked."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from llmcxr import images
from llmcxr.cli import app as cli
from llmcxr.cli.train import RUN_KINDS
from llmcxr.common.errors import UserError
from llmcxr.model.judges import EVALUATOR, fingerprint
from llmcxr.pages.document import Paragraph
from llmcxr.pages.result import Result
from llmcxr.predictor import AnswerResult, DrawResult, ReportResult, System
from llmcxr.records import Report

REPOSITORY = Path(__file__).resolve().parents[3]


class FakeCXR(System):
    """Draws a gradient that depends on the seed; its report names the mean of the image."""

    loaded: ClassVar[list[str]] = []
    calls: ClassVar[list[tuple]] = []
    is_phantom_trained = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.provenance = {"dataset": "phantom:n=1,seed=0"}
        self.model = SimpleNamespace(
            vocabulary=SimpleNamespace(grid=(2, 4), codebook_size=10, size=99), parameters=lambda: []
        )
        self.image_tokenizer = SimpleNamespace(
            config=SimpleNamespace(image_size=16), fingerprint="f00d", parameters=lambda: []
        )

    @classmethod
    def from_pretrained(cls, name: str, device: str = "cpu") -> FakeCXR:
        cls.loaded.append(name)
        if name == "nowhere":
            raise UserError("nowhere: no such model directory")
        return cls(name)

    def draw(self, texts, settings, *, n, seed):
        self.calls.append(("draw", n, seed, settings.best_of))
        if not texts[0].strip():
            raise UserError("the prompt is empty")
        return [self._draw(texts[0], settings.recipe(seed + i)) for i in range(n)]

    def _draw(self, text: str, settings: dict) -> DrawResult:
        seed = settings["seed"]
        image = np.linspace(0, 1, 24 * 20, dtype=np.float32).reshape(24, 20) * (1 - seed / 100)
        recipe = {"prompt": text, **settings, "model": self.name}
        return DrawResult(image, text, seed, np.zeros((2, 4), int), -1.0, recipe=recipe)

    def report(self, pictures, seed, temperature):
        self.calls.append(("report", len(pictures), seed, temperature))
        return [
            ReportResult(
                f"Mean {picture.mean():.2f}. Nothing else.",
                [1],
                -2.0,
                seed,
                report=Report(findings=f"Mean {picture.mean():.2f}.", impression="Nothing else."),
            )
            for picture in pictures
        ]

    def answer(self, picture, question, seed, temperature):
        return AnswerResult("No.", [1], -0.5, seed, question=question)

    def save_pretrained(self, directory: Path) -> Path:
        directory.mkdir(parents=True, exist_ok=True)
        return directory


@pytest.fixture(autouse=True)
def house(monkeypatch, tmp_path):
    """An empty folder to work in, and the fake model."""
    monkeypatch.setattr("llmcxr.decoding.predict.CXR", FakeCXR)
    monkeypatch.setattr(FakeCXR, "loaded", [])
    monkeypatch.setattr(FakeCXR, "calls", [])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def radiograph(house) -> Path:
    rows = np.linspace(40, 200, 64).astype(np.uint8)
    Image.fromarray(np.tile(rows, (64, 1))).save(house / "radiograph.png")
    return Path("radiograph.png")


@pytest.fixture
def run(capsys):
    """Run `llmcxr` and give (exit code, stdout, stderr)."""

    def run(*arguments: str, program=cli.main) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            program([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def _metadata(path: Path) -> dict:
    with Image.open(path) as picture:
        return dict(picture.text)


# -- drawing


def test_one_image_is_written_under_its_name_with_its_recipe(run):
    code, out, err = run("draw", "Large nodule.", "--out", "a.png", "--seed", "7", "--guidance", "3")
    assert (code, out) == (0, "a.png\n")
    assert "not a radiograph of a patient" in err
    written = _metadata(Path("a.png"))
    assert "Synthetic" in written["synthetic"]
    recipe = json.loads(written["recipe"])
    assert (recipe["prompt"], recipe["seed"], recipe["guidance"]) == ("Large nodule.", 7, 3.0)
    assert any("synthetic" in warning for warning in images.read_with_header("a.png")[1].warnings)


@pytest.mark.parametrize(
    ("program", "name"),
    [(cli.main, "draw"), (cli.main, "image"), (cli.generate, "draw"), (cli.generate, "image")],
)
def test_several_images_are_numbered_and_shown_in_a_row(run, house, program, name):
    code, out, _ = run(name, "Normal.", "--n", "3", "--out", "drawn.png", program=program)
    assert code == 0
    assert out.split() == ["drawn-1.png", "drawn-2.png", "drawn-3.png", "drawn.png"]
    assert sorted(path.name for path in house.iterdir()) == sorted(out.split())
    assert [json.loads(_metadata(Path(f"drawn-{i}.png"))["recipe"])["seed"] for i in (1, 2, 3)] == [0, 1, 2]
    row = images.read("drawn.png")
    assert row.shape == (24, 3 * 20 + 2 * 4)
    np.testing.assert_array_equal(row[:, 24:44], images.read("drawn-2.png"))
    assert "Synthetic" in _metadata(Path("drawn.png"))["synthetic"]


def test_dicom_is_a_synthetic_secondary_capture(run):
    pydicom = pytest.importorskip("pydicom")
    code, out, _ = run("draw", "Normal.", "--n", "2", "--out", "made.dcm")
    assert (code, out.split()) == (0, ["made-1.dcm", "made-2.dcm"])
    header = pydicom.dcmread("made-1.dcm")
    assert header.SOPClassUID.name.endswith("Secondary Capture Image Storage")
    assert "SYNTHETIC" in str(header).upper()
    read_back = json.loads(run("report", "made-1.dcm", "--json")[1])
    assert "means nothing" not in str(read_back["warnings"])


def test_many_images_are_drawn_in_pieces_with_consecutive_seeds(run):
    assert run("draw", "Normal.", "--n", "20", "--seed", "5", "--best-of", "2")[0] == 0
    assert [call[1:4] for call in FakeCXR.calls] == [(8, 5, 2), (8, 13, 2), (4, 21, 2)]


@pytest.mark.parametrize("out", [".", "a.tiff", "noending", "radiograph.png/a.png"])
def test_an_output_that_cannot_be_written_is_refused_before_the_model_is_loaded(run, radiograph, out):
    code, printed, err = run("draw", "Normal.", "--out", out)
    assert (code, printed) == (2, "")
    assert err.startswith("error: ") and "expected" in err and "Traceback" not in err
    assert FakeCXR.loaded == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("draw", "Normal.", "--n", "0"),
        ("draw", "Normal.", "--best-of", "0"),
        ("draw", "Normal.", "--top-p", "1.5"),
        ("draw", "Normal.", "--seed", "-1"),
        ("draw",),
        ("report",),
        ("paint", "Normal."),
    ],
)
def test_wrong_usage_exits_with_2_and_draws_nothing(run, house, arguments):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "") and "Usage" in err
    assert list(house.iterdir()) == [] and FakeCXR.loaded == []


def test_an_empty_prompt_leaves_no_file(run, house):
    code, out, err = run("draw", " ")
    assert (code, out, err) == (2, "", "error: the prompt is empty\n")
    assert list(house.iterdir()) == []


def test_an_unknown_model_or_device_is_a_users_mistake(run, radiograph):
    assert run("report", radiograph, "--model", "nowhere")[::2] == (
        2,
        "error: nowhere: no such model directory\n",
    )
    code, _, err = run("report", radiograph, "--device", "gpu7")
    assert code == 2 and "device must be auto" in err


def test_debug_shows_the_traceback(radiograph):
    with pytest.raises(UserError, match="prompt is empty"):
        cli.main(["draw", " ", "--debug"])


# -- reading


@pytest.mark.parametrize("program", [cli.main, cli.generate])
def test_a_report_goes_to_stdout_and_the_warning_to_stderr(run, radiograph, program):
    code, out, err = run("report", radiograph, program=program)
    assert code == 0
    assert out == "FINDINGS\nMean 0.47.\n\nIMPRESSION\nNothing else.\n"
    assert err.startswith(
        "Research software, not a medical device. This model was trained on computed phantoms"
    )
    assert err.count("\n") == 1


def test_a_model_of_real_radiographs_says_nothing_of_phantoms(run, radiograph, monkeypatch):
    monkeypatch.setattr(FakeCXR, "is_phantom_trained", False)
    assert run("report", radiograph)[2] == "Research software, not a medical device.\n"
    assert json.loads(run("report", radiograph, "--json")[1])["warnings"] == []


def test_json_is_one_object_an_image(run, radiograph):
    run("draw", "Normal.", "--out", "drawn.png")
    code, out, _ = run("report", radiograph, "drawn.png", "--json", "--seed", "3")
    first, second = map(json.loads, out.splitlines())
    assert code == 0
    assert first["image"] == "radiograph.png" and first["text"] == "Mean 0.47. Nothing else."
    assert first["sections"] == {"findings": "Mean 0.47.", "impression": "Nothing else."}
    assert (first["seed"], first["log_probability"], first["model"]) == (3, -2.0, "phantom")
    assert first["disclaimer"] == "Research software, not a medical device."
    assert "means nothing" in first["warnings"][-1]
    assert "synthetic" in second["warnings"][0] and "means nothing" not in str(second["warnings"])


def test_json_goes_to_a_file_beside_the_text_or_alone_to_stdout(run, radiograph):
    pixels = radiograph.read_bytes()
    texts = run("report", radiograph)[1]
    for given in (["--json", "out.jsonl", radiograph], [radiograph, "--json=out.jsonl"]):
        assert run("report", *given)[:2] == (0, texts)
        assert json.loads(Path("out.jsonl").read_text())["image"] == "radiograph.png"
    for given in (
        ["--json", radiograph],
        [radiograph, "--json"],
        [radiograph, "--json", "-"],
        [radiograph, "--json", "--seed", "0"],
    ):
        assert json.loads(run("report", *given)[1])["image"] == "radiograph.png"  # and the picture is whole
    assert radiograph.read_bytes() == pixels
    assert run("report", radiograph, radiograph, "--json", "out.jsonl")[1].count("== radiograph.png\n") == 2
    assert len(Path("out.jsonl").read_text().splitlines()) == 2
    assert "grid: [2, 4]" in run("info", "phantom", "--json", "info.json")[1]
    assert json.loads(Path("info.json").read_text())["codebook_size"] == 10
    assert run("report", radiograph, "--json", "radiograph.png/a.json")[0] == 2


def test_work_continues_past_bad_files(run, radiograph, house):
    Path("text.png").write_text("not a picture")
    code, out, err = run("report", radiograph, "missing.png", "text.png", radiograph)
    assert code == 1
    assert out.count("== radiograph.png\n") == 2
    assert "left out: missing.png" in err and "left out: text.png" in err and "2 of 4 images were read" in err
    listed = [json.loads(line) for line in Path("rejected.jsonl").read_text().splitlines()]
    assert [entry["name"] for entry in listed] == ["missing.png", "text.png"]


def test_nothing_readable_exits_with_2(run):
    assert run("report", "a.png", "b.png")[0] == 2
    code, out, err = run("report", "a.png")
    assert (code, out) == (2, "") and err.startswith("error: a.png: ")


def test_many_reports_are_written_in_batches(run, radiograph):
    run("report", *[radiograph] * 20, "--temperature", "0.5")
    assert [call[1:] for call in FakeCXR.calls] == [(16, 0, 0.5), (4, 0, 0.5)]


def test_a_question_is_answered(run, radiograph):
    code, out, err = run("answer", radiograph, "Is there a nodule?")
    assert (code, out) == (0, "No.\n") and "not a medical device" in err
    answer = json.loads(run("answer", radiograph, "Is there a nodule?", "--json")[1])
    assert (answer["question"], answer["text"]) == ("Is there a nodule?", "No.")
    assert "sections" not in answer


# -- training and moving models


@dataclass
class ToyRun:
    kind: str = "toy"
    steps: int = 3
    fails: str = ""
    sizes: tuple[int, ...] = field(default=(1, 2))


def run_toy(config: ToyRun) -> Path:
    if config.fails == "interrupted":
        raise KeyboardInterrupt
    return Path(f"runs/toy-{config.steps}/model")


@pytest.fixture
def toy_config(monkeypatch, house) -> Path:
    monkeypatch.setitem(RUN_KINDS, "toy", (__name__, "ToyRun"))
    monkeypatch.setattr(sys.modules[__name__], "run", run_toy)
    (house / "toy.yaml").write_text("kind: toy\nsteps: 5\n")
    return Path("toy.yaml")


def test_train_prints_what_it_made(run, toy_config):
    assert run("train", toy_config, "steps=9")[:2] == (0, "runs/toy-9/model\n")
    assert run(toy_config, program=cli.train)[:2] == (0, "runs/toy-5/model\n")


def test_train_check_prints_the_resolved_configuration(run, toy_config):
    code, out, _ = run("train", toy_config, "sizes=[4]", "--check")
    assert code == 0
    assert json.loads(out) == {"kind": "toy", "steps": 5, "fails": "", "sizes": [4]}


def test_train_names_a_wrong_key(run, toy_config):
    code, _, err = run("train", toy_config, "stesp=9")
    assert code == 2 and "unknown key `stesp`" in err and "Did you mean `steps`?" in err


def test_an_interrupted_training_says_how_to_go_on(run, toy_config):
    code, _, err = run("train", toy_config, "fails=interrupted")
    assert code == 130 and "resumes at the last checkpoint" in err


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs").rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_loads(run, path):
    code, out, err = run("train", path, "--check")
    assert code == 0, err
    assert path.read_text().startswith("#"), (
        "a configuration begins with its command, hardware, time and score"
    )
    assert json.loads(out)


def test_export_prints_where_it_wrote(run, radiograph, house):
    assert run("export", "phantom", "plain")[:2] == (0, "plain\n")


def test_encode_names_a_missing_tokenizer(run):
    code, _, err = run("encode", "phantom:n=2,seed=0", "nowhere", "codes")
    assert code == 2 and err.startswith("error: ") and "nowhere" in err


def test_info_tells_what_a_model_is(run):
    code, out, _ = run("info", "phantom")
    assert code == 0 and "grid: [2, 4]" in out and "computed phantoms" in out
    assert json.loads(run("info", "phantom", "--json")[1])["codebook_size"] == 10


def test_demo_prints_where_the_results_are(run, monkeypatch):
    summary = {"reading_f1": {"macro": 0.9}, "drawing_agreement": {"macro": 0.8}}
    asked = []
    monkeypatch.setattr(
        "llmcxr.evaluation.demo.run.run_demo",
        lambda *given, announce: asked.append(given) or Result(summary, []),
    )
    code, out, _ = run("demo", "--out", "show", "--n", "16")
    assert code == 0
    assert out.split() == ["show/demo.png", "show/index.html", "show/summary.json"]
    assert asked[0][:3] == (Path("show"), 0, 16)


def test_evaluate_prints_tables_or_json(run, monkeypatch):
    def evaluate(cxr, n, seed, best_of, announce):
        return Result({"n": n, "best_of": list(best_of)}, [Paragraph(f"n {n}")])

    monkeypatch.setattr("llmcxr.evaluation.phantom.run.evaluate_phantom", evaluate)
    assert run("evaluate", "phantom", "phantom", "--n", "8")[1].endswith("\n\nn 8\n\n")
    out = run("evaluate", "phantom", "phantom", "--n", "8", "--best-of", "2", "--json")[1]
    assert json.loads(out) == {"n": 8, "best_of": [2]}


@pytest.mark.parametrize("arguments", [("demo", "--n", "2"), ("evaluate", "phantom", "phantom", "--n", "2")])
def test_a_model_is_not_judged_by_its_loss_network(run, monkeypatch, arguments):
    taught = {fingerprint(EVALUATOR): "runs/loss_network"}
    monkeypatch.setattr(FakeCXR, "loss_networks", taught, raising=False)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "") and "found one of its loss networks (runs/loss_network)" in err
    assert FakeCXR.calls == []


# -- help


COMMANDS = ["draw", "report", "answer", "train", "curves", "encode", "export", "info", "demo"]


@pytest.mark.parametrize("command", [*COMMANDS, "evaluate phantom", "evaluate tokenizer"])
def test_help_shows_an_example(run, command):
    code, out, _ = run(*command.split(), "--help")
    assert code == 0 and "Example" in out and f"llmcxr {command}" in out


@pytest.mark.parametrize("script", ["generate.py", "train.py", "-m llmcxr"])
def test_scripts_open(script):
    command = [sys.executable, *script.split(), "--help"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0 and "Usage" in done.stdout
