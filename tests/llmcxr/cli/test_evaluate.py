"""The commands that judge: what they print and write, and what a user's mistakes get."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from llmcxr import images
from llmcxr.cli.app import app, main
from llmcxr.common.errors import UserError
from llmcxr.model.judges import EVALUATOR, RADIOGRAPH_EVALUATOR

PHANTOMS = "phantom:n=4,seed=1,split=test"


def test_one_part_prints_a_table_and_writes_everything(tmp_path):
    out = tmp_path / "card.json"
    done = CliRunner().invoke(
        app, ["evaluate", "questions", "phantom", PHANTOMS, "--n", "9", "--json", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert "presence accuracy" in done.output
    card = json.loads(out.read_text())
    assert card["n"] == 4 and card["dataset"] == PHANTOMS and list(card["parts"]) == ["questions"]


def test_a_file_against_itself_is_no_better(tmp_path):
    from llmcxr.data import open_dataset

    dataset = open_dataset(PHANTOMS)
    file = tmp_path / "said.csv"
    rows = [f"{dataset[i].study_id},No pneumothorax seen today." for i in range(4)]
    file.write_text("\n".join(["id,report", *rows]) + "\n")
    done = CliRunner().invoke(
        app, ["evaluate", "compare", str(file), str(file), PHANTOMS, "--resamples", "100", "--json"]
    )
    assert done.exit_code == 0, done.output
    bleu = json.loads(done.stdout)["comparisons"][0]
    assert bleu["name"] == "BLEU-1" and bleu["p"] == 1
    page = tmp_path / "page.html"
    given = ["--resamples", "100", "--html", str(page)]
    done = CliRunner().invoke(app, ["evaluate", "compare", str(file), str(file), PHANTOMS, *given])
    assert "| BLEU-1 |" in done.output and "1.000 |" in done.output  # p
    assert "<td>BLEU-1</td>" in page.read_text()


def test_a_page_that_opens_offline(tmp_path):
    out = tmp_path / "card.html"
    done = CliRunner().invoke(
        app, ["evaluate", "report", "prior:phantom:n=3,seed=5", PHANTOMS, "--n", "4", "--html", str(out)]
    )
    assert done.exit_code == 0, done.output
    page = out.read_text()
    assert "not a medical device" in page and "<svg" in page
    assert "http" not in page and "src=" not in page.replace('src="data:', "")


def write_reports(path, ids):
    path.write_text("\n".join(["id,report", *[f"{one},No pneumothorax." for one in ids]]) + "\n")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([0, 1, 2], "none for 1 of 4"),
        ([0, 1, 2, 3, 9], "1 for others"),
        ([0, 1, 2, 3, 3], "1 duplicates"),
    ],
)
def test_a_file_that_is_not_of_these_studies_ends_the_program(tmp_path, ids, message, capsys):
    write_reports(tmp_path / "said.csv", [f"phantom-1-{one}" for one in ids])
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "report", f"file:{tmp_path / 'said.csv'}", PHANTOMS])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert message in said.err and "Traceback" not in said.err and not said.out


def test_what_a_system_wrote_is_kept_and_judged_alike_as_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ["evaluate", "report", "prior:phantom:n=9,seed=5", PHANTOMS, "--seeds", "0,3"]
    done = CliRunner().invoke(app, [*given, "--predictions", "kept.jsonl", "--json", "first.json"])
    assert done.exit_code == 0 and "4 texts of the system are kept in kept.jsonl" in done.stderr, done.output
    again = ["evaluate", "report", "file:kept.jsonl", PHANTOMS, "--json", "second.json"]
    assert CliRunner().invoke(app, again).exit_code == 0
    first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("first", "second"))
    assert first["parts"]["report"]["scores"] == second["parts"]["report"]["scores"]
    assert (tmp_path / "kept-seed-3.jsonl").is_file()
    done = CliRunner().invoke(app, [*again, "--predictions", "kept.jsonl"])
    assert isinstance(done.exception, UserError) and "found the input" in str(done.exception)
    done = CliRunner().invoke(app, [*given, "--predictions", "first.json"])
    assert isinstance(done.exception, UserError) and "ends in .jsonl" in str(done.exception)
    done = CliRunner().invoke(app, ["evaluate", "cycle", *given[2:], "--predictions", "kept.jsonl"])
    assert isinstance(done.exception, UserError) and "has none" in str(done.exception)


def test_what_the_report_command_writes_is_judged_as_it_is(tmp_path, monkeypatch):
    """Over a table of four films, one damaged, in folders; --json goes to stdout, that is to a file."""
    monkeypatch.chdir(tmp_path)
    rows = ["image,text,split"]
    for number in range(4):
        images.write_png(tmp_path / "films" / f"f{number}.png", np.full((64, 64), number / 9))
        rows.append(f'films/f{number}.png,"FINDINGS: Rib {number}. IMPRESSION: Well.",test')
    (tmp_path / "films" / "f2.png").write_bytes(b"no film")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    films = [str(tmp_path / "films" / f"f{number}.png") for number in (3, 2, 1, 0)]
    assert CliRunner().invoke(app, ["report", *films, "--json", "reports.jsonl"]).exit_code == 1
    given = ["evaluate", "report", "file:reports.jsonl", "csv:table.csv", "--json", "out.json"]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    assert "1 of 4 studies is left out, with no image that can be read (study 3)" in done.stderr
    direct = ["evaluate", "report", "phantom", "csv:table.csv", "--json", "direct.json"]
    assert CliRunner().invoke(app, direct).exit_code == 0
    filed, asked = (json.loads((tmp_path / name).read_text()) for name in ("out.json", "direct.json"))
    assert filed["parts"] == asked["parts"]


def test_privacy_says_which_training_film_it_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = ["image,text,split"]
    for number in range(3):
        images.write_png(tmp_path / f"{number}.png", np.random.default_rng(number).random((64, 64)))
        rows.append(f"{number}.png,FINDINGS: Rib {number}.,train")
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:60])
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    given = ["privacy", "phantom", "phantom:n=2,seed=1,split=test", "--training", "csv:table.csv,split=train"]
    done = CliRunner().invoke(app, ["evaluate", *given, "--n", "2", "--json", "out.json"])
    assert done.exit_code == 0, done.output
    said = "1 of 3 training studies is left out, with no image that can be read (study 2)"
    assert said in done.stderr and "training study 2: 1.png: " in done.stderr
    assert f"{said}." in done.stdout
    assert json.loads((tmp_path / "out.json").read_text())["studies"]["training"]["judged"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "phantom", "phantom:n=4,seed=0"], "4 have an image"),  # its training data
        (["report", "phantom", PHANTOMS, "--training", PHANTOMS], "4 have an image"),
        (["report", "phantom", PHANTOMS, "--seeds", "0,x"], "--seeds: expected whole numbers"),
        (["report", "phantom", PHANTOMS, "--metric", "green:nowhere"], "nowhere"),
        (["sweep", "prior:phantom:n=2,seed=5", PHANTOMS, "--task", "reading"], "can be set for reading"),
        (["sweep", "phantom", PHANTOMS, "--top-p", "most"], "--top-p: expected numbers"),
        (["privacy", "prior:phantom:n=2,seed=1", PHANTOMS], "2 have an image"),
        (["privacy", "phantom", PHANTOMS, "--requests", "all"], "training or held-out"),
        (["report", "nowhere", PHANTOMS], "no directory"),
        (["report", "file:nowhere.csv", PHANTOMS], "nowhere.csv"),
        (["labeler", PHANTOMS], "openi:DIR"),
    ],
)
def test_mistakes_are_named(arguments, message):
    done = CliRunner().invoke(app, ["evaluate", *arguments])
    assert isinstance(done.exception, UserError) and message in str(done.exception)


def test_a_tokenizer_is_judged_on_phantoms(tmp_path):
    out, sheet = tmp_path / "fidelity.json", tmp_path / "worst.png"
    rejected = ["--rejected", str(tmp_path / "rejected.jsonl")]
    page = tmp_path / "page.html"
    given = ["phantom", PHANTOMS, "--json", str(out), "--sheet", str(sheet), "--html", str(page), *rejected]
    done = CliRunner().invoke(app, ["evaluate", "tokenizer", *given])
    assert done.exit_code == 0, done.output
    scores = json.loads(out.read_text())
    assert {"psnr", "ssim", "ms_ssim", "frechet", "usage", "perplexity", "per_finding"} <= set(scores)
    assert scores["n"] == 4 and scores["psnr"] > 15 and 0 < scores["usage"] <= 1
    assert 'alt="Reconstructions"' in page.read_text()
    assert sheet.is_file() and "| tokenizer |" in done.output and not (tmp_path / "rejected.jsonl").exists()


def test_radiographs_are_judged_by_the_classifier_of_radiographs_that_ships(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        images.write_png(tmp_path / f"{number}.png", np.random.default_rng(number).random((64, 64)))
    (tmp_path / "radiographs.csv").write_text("image,text\n0.png,Clear.\n1.png,Clear.\n")
    given = ["evaluate", "tokenizer", "phantom", "csv:radiographs.csv", "--json", "out.json"]
    assert CliRunner().invoke(app, given).exit_code == 0
    scores = json.loads((tmp_path / "out.json").read_text())
    assert scores["per_finding"]["pneumonia"]["auroc_original"] is None  # the folder tells no labels
    assert scores["frechet_features"].endswith("evaluator-films")
    assert CliRunner().invoke(app, [*given, "--features", "classifier"]).exit_code == 0
    assert json.loads((tmp_path / "out.json").read_text()) == scores  # not features learnt on phantoms


def test_a_classifier_of_radiographs_judges_and_a_loss_network_does_not(tmp_path, monkeypatch):
    from llmcxr.model.classifier import Classifier, ClassifierConfig
    from llmcxr.model.judges import fingerprint, write_loss_networks
    from vqgan import VQGAN, VQGANConfig

    monkeypatch.chdir(tmp_path)
    tiny = ClassifierConfig(image_size=32, width=4, hidden=16, pooled_channels=4)
    Classifier(tiny, ("edema", "nodule"), predicts_location=False).save_pretrained("judge")
    VQGAN(VQGANConfig(image_size=64)).save_pretrained("tokenizer")
    given = ["evaluate", "tokenizer", "tokenizer", PHANTOMS, "--classifier", "judge", "--json", "out.json"]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    scores = json.loads((tmp_path / "out.json").read_text())
    judged = [name for name, score in scores["per_finding"].items() if "auroc_original" in score]
    assert judged == ["edema", "nodule"] and scores["frechet_features"] == "classifier:judge"
    write_loss_networks("tokenizer", {fingerprint("judge"): "runs/loss_network"})
    for network in (["--classifier", "judge"], ["--features", "classifier:judge"]):
        done = CliRunner().invoke(app, ["evaluate", "tokenizer", "tokenizer", PHANTOMS, *network])
        assert isinstance(done.exception, UserError) and "found one of its loss networks" in str(
            done.exception
        )


@pytest.fixture
def taught(tmp_path, embedded_model):
    """The embedded model, as if the classifiers that judge had taught its image tokenizer."""
    from llmcxr.model.judges import fingerprint, write_loss_networks

    shutil.copytree(embedded_model, tmp_path / "taught")
    networks = {
        fingerprint(EVALUATOR): "runs/loss_network",
        fingerprint(RADIOGRAPH_EVALUATOR): "runs/radiographs",
    }
    write_loss_networks(tmp_path / "taught" / "image_tokenizer", networks)
    return str(tmp_path / "taught")


@pytest.mark.parametrize(
    ("command", "dataset", "extractor"),
    [
        ("card", PHANTOMS, "classifier"),
        ("image", "csv:radiographs.csv", "classifier"),
        ("image", "csv:radiographs.csv", f"classifier:{RADIOGRAPH_EVALUATOR}"),
        ("image", PHANTOMS, "xrv:other.pt"),  # the judge
        ("privacy", PHANTOMS, "classifier"),
        ("sweep", PHANTOMS, "classifier"),
    ],
)
def test_a_model_is_not_judged_by_its_loss_network(
    taught, command, dataset, extractor, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    images.write_png(tmp_path / "a.png", np.zeros((32, 32)))
    (tmp_path / "radiographs.csv").write_text("image,text\na.png,Clear.\n")
    done = CliRunner().invoke(app, ["evaluate", command, taught, dataset, "--extractor", extractor])
    assert isinstance(done.exception, UserError) and "found one of its loss networks" in str(done.exception)


def test_a_loss_network_does_not_matter_where_no_network_judges(taught):
    done = CliRunner().invoke(app, ["evaluate", "questions", taught, PHANTOMS, "--n", "1"])
    assert done.exit_code == 0, done.output


def test_a_tokenizer_that_is_none_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["evaluate", "tokenizer", "nowhere", PHANTOMS])
    assert isinstance(done.exception, UserError) and "nowhere" in str(done.exception)


def test_a_table_or_a_picture_of_the_user_is_never_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.csv").write_text("image,text\nfilm.png,Clear.\n")
    images.write_png("film.png", np.random.default_rng(0).random((64, 64)), {"synthetic": "drawn"})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "link.json").symlink_to("f.csv")
    tokenizer = ["evaluate", "tokenizer", "phantom", "csv:f.csv"]
    for given in (
        [*tokenizer, "--rejected", "f.csv"],
        [*tokenizer, "--rejected", "film.png"],
        [*tokenizer, "--sheet", "film.png"],
        [*tokenizer, "--json=link.json"],
        [*tokenizer, "--html", "./f.csv"],
        ["evaluate", "report", "prior:csv:f.csv", PHANTOMS, "--json=f.csv"],
        ["evaluate", "report", "file:f.csv", PHANTOMS, "--html", "f.csv"],
        ["evaluate", "compare", "f.csv", "f.csv", PHANTOMS, "--json=f.csv"],
        ["evaluate", "privacy", "phantom", PHANTOMS, "--training", "csv:f.csv", "--json=f.csv"],
        ["evaluate", "sweep", "phantom", "csv:f.csv", "--out", "film.png"],
        ["evaluate", "labeler", "openi:f.csv", "--json=f.csv"],
        ["curves", ".", "--out", "film.png"],
        [*tokenizer, "--json", "a.json", "--html", "a.json"],
    ):
        done = CliRunner().invoke(app, given)
        assert isinstance(done.exception, UserError), (given, done.output)
        assert "choose another" in str(done.exception)
    done = CliRunner().invoke(app, [*tokenizer, "--json", "film.json"])  # whose sheet would be film.png
    assert done.exit_code == 0 and "name one with --sheet" in done.stderr
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
