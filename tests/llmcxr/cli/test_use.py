"""The commands that use a model: what they print and write, and what they leave out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llmcxr import images
from llmcxr.cli import app as cli
from llmcxr.cli import use
from tests.llmcxr.cli.fakes import FakeCXR
from vqgan import VQGAN

pytestmark = pytest.mark.usefixtures("house")


def _metadata(path: Path) -> dict:
    with Image.open(path) as picture:
        return dict(picture.text)


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


def test_many_images_are_drawn_in_batches_with_consecutive_seeds(run):
    assert run("draw", "Normal.", "--n", "20", "--seed", "5", "--best-of", "2")[0] == 0
    assert [call[1:4] for call in FakeCXR.calls] == [(8, 5, 2), (8, 13, 2), (4, 21, 2)]


@pytest.mark.parametrize("out", [".", "a.tiff", "noending", "radiograph.png/a.png"])
def test_an_output_that_cannot_be_written_is_refused_before_the_model_is_loaded(run, radiograph, out):
    code, printed, err = run("draw", "Normal.", "--out", out)
    assert (code, printed) == (2, "")
    assert err.startswith("error: ") and "expected" in err and "Traceback" not in err
    assert FakeCXR.loaded == []


def test_an_empty_prompt_leaves_no_file(run, house):
    code, out, err = run("draw", " ")
    assert (code, out, err) == (2, "", "error: the prompt is empty\n")
    assert list(house.iterdir()) == []


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


def test_a_folder_stands_for_its_pictures(run, radiograph, house):
    Path("films/sub").mkdir(parents=True)
    for name in ("films/b.png", "films/a.png", "films/sub/c.png"):
        Path(name).write_bytes(radiograph.read_bytes())
    Path("films/d.png").write_text("damaged")
    Path("films/table.csv").write_text("image,text")
    code, out, err = run("report", "films")
    assert code == 1 and "3 of 4 images were read" in err
    assert [line for line in out.splitlines() if line.startswith("==")] == [
        "== films/a.png",
        "== films/b.png",
        "== films/sub/c.png",
    ]
    assert json.loads(Path("rejected.jsonl").read_text())["name"] == "films/d.png"
    Path("empty").mkdir()
    assert "found none; check the path" in run("report", "empty")[2]


@pytest.mark.parametrize("name", ["reports.csv", "reports.txt", "reports.jsonl"])
def test_reports_go_to_a_file_and_its_name_to_the_screen(run, radiograph, name):
    for _ in range(2):  # its own may be replaced
        assert run("report", radiograph, radiograph, "--out", name)[:2] == (0, f"{name}\n")
    assert Path(name).read_text().count("Nothing else.") in (2, 4)
    assert run("report", radiograph, "--out", name)[:2] == (0, f"{name}\n")
    code, out, _ = run("report", radiograph, "--out", name, "--json")
    assert code == 0 and json.loads(out)["image"] == "radiograph.png"


@pytest.mark.parametrize("name", ["radiograph.png", "reports", "mine.csv", "mine.csv/a.txt"])
def test_reports_never_replace_an_input_or_another_file(run, radiograph, name):
    Path("mine.csv").write_text("id,report\n")
    before = radiograph.read_bytes()
    code, out, err = run("report", radiograph, "--out", name)
    assert (code, out) == (2, "") and err.startswith("error: ") and FakeCXR.loaded == []
    assert radiograph.read_bytes() == before and Path("mine.csv").read_text() == "id,report\n"


def test_many_reports_are_written_in_batches(run, radiograph):
    run("report", *[radiograph] * 20, "--temperature", "0.5")
    assert [call[1:] for call in FakeCXR.calls] == [(16, 0, 0.5), (4, 0, 0.5)]


def test_a_question_is_answered(run, radiograph):
    code, out, err = run("answer", radiograph, "Is there a nodule?")
    assert (code, out) == (0, "No.\n") and "not a medical device" in err
    answer = json.loads(run("answer", radiograph, "Is there a nodule?", "--json")[1])
    assert (answer["question"], answer["text"]) == ("Is there a nodule?", "No.")
    assert "sections" not in answer


def test_export_prints_where_it_wrote(run, radiograph, house):
    assert run("export", "phantom", "plain")[:2] == (0, "plain\n")


def test_info_tells_what_a_model_is(run):
    code, out, _ = run("info", "phantom")
    assert code == 0 and "grid: [2, 4]" in out and "computed phantoms" in out
    assert json.loads(run("info", "phantom", "--json")[1])["codebook_size"] == 10


def test_info_tells_what_an_image_tokenizer_is(run, house):
    code, out, _ = run("info", "cxr")
    assert code == 0 and "grid: [16, 16]" in out and "codebook size: 4096" in out
    VQGAN.from_pretrained("cxr").save_pretrained("mine")
    told = json.loads(run("info", "mine", "--json")[1])
    assert (told["image_tokenizer"], told["image_size"]) == ("mine", 256) and FakeCXR.loaded == []
    Path("other").mkdir()
    Path("other/config.json").write_text('{"model_type": "llama"}')
    run("info", "other")
    assert FakeCXR.loaded == ["other"]


def test_an_input_or_a_file_of_another_kind_is_never_replaced(run, radiograph, house):
    for name in ("notes.json", "notes.png"):
        Path(name).write_text('{"mine": 1}')
    Path("b.png").write_bytes(radiograph.read_bytes())
    Path("link.png").symlink_to(radiograph)
    before = {path.name: path.read_bytes() for path in house.iterdir()}
    for given in (
        ("report", radiograph, "b.png", "--rejected", radiograph),
        ("report", radiograph, "b.png", "--rejected", "./link.png"),
        ("report", "link.png", "b.png", "--rejected", radiograph),
        ("report", radiograph, "b.png", "--rejected", "notes.json"),
        ("report", radiograph, "b.png", f"--json={radiograph}"),
        ("report", radiograph, "--json", "notes.json"),
        ("report", radiograph, "b.png", "--json", "a.jsonl", "--rejected", "a.jsonl"),
        ("answer", radiograph, "Why?", "--json=b.png"),
        ("info", "phantom", "--json", "notes.json"),
        ("draw", "Normal.", "--out", radiograph),
        ("draw", "Normal.", "--n", "2", "--out", "notes.png"),
        ("export", ".", "."),
    ):
        code, out, err = run(*given)
        assert (code, out) == (2, ""), given
        assert err.startswith("error: ") and "choose another" in err
    assert FakeCXR.loaded == []
    assert {path.name: path.read_bytes() for path in house.iterdir()} == before
    for _ in range(2):  # its own may be replaced
        assert run("report", radiograph, "b.png", "--json", "a.jsonl")[0] == 0
        assert run("info", "phantom", "--json", "info.json")[0] == 0
        assert run("draw", "Normal.", "--n", "2", "--out", "drawn.png")[0] == 0


def test_a_killed_drawing_leaves_what_was_drawn(house):
    code = """if True:
        import sys, time
        import llmcxr.decoding.predict as predict
        from llmcxr.cli import app
        from tests.llmcxr.cli.fakes import FakeCXR
        draw = FakeCXR.draw
        FakeCXR.draw = lambda self, texts, settings, n, seed: time.sleep(seed) or draw(
            self, texts, settings, n=n, seed=seed
        )
        predict.CXR = FakeCXR
        app.main(["draw", "Normal.", "--n", "40", "--best-of", "4", "--out", "d.png"])
    """
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    drawing = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    drawn = [drawing.stdout.readline().strip() for _ in range(4)]
    drawing.kill()
    drawing.wait()
    assert drawn == [f"d-{number}.png" for number in range(1, 5)]
    assert [images.read(name).shape for name in drawn] == [(24, 20)] * 4


def test_pictures_are_read_while_the_model_reports(run, radiograph, monkeypatch):
    """Some are open before the model has the first batch, in order, and never many more than it needs."""
    from llmcxr.outputs.reading import Radiograph

    begun, seen, plain = [], [], Radiograph.open

    def open_one(path):
        begun.append(path)
        return plain(path)

    def report(self, pictures, seed, temperature):
        time.sleep(0.5)
        seen.append(len(begun))
        return plain_report(self, pictures, seed, temperature)

    plain_report = FakeCXR.report
    monkeypatch.setattr(Radiograph, "open", open_one)
    monkeypatch.setattr(FakeCXR, "report", report)
    code, out, _ = run("report", *[radiograph] * 19, "missing.png", *[radiograph] * 20)
    assert code == 1 and out.count("== ") == 39 and len(begun) == 40
    assert 16 < seen[0] <= 16 + use.AHEAD and 32 < seen[1] <= 32 + use.AHEAD
    assert [path.name for path in begun].index("missing.png") in range(17, 22)
