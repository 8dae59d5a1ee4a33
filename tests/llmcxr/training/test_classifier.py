import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from llmcxr import images
from llmcxr.common.config import load
from llmcxr.common.errors import UserError
from llmcxr.model.classifier import Classifier, ClassifierConfig
from llmcxr.training.augmentation import AugmentationConfig
from llmcxr.training.classifier import ClassifierRun, _Trainer, run

TINY = ClassifierConfig(image_size=32, width=4, hidden=16, pooled_channels=4)
CONFIGS = Path(__file__).parents[3] / "configs" / "classifier"


def tiny_run(tmp_path, name, **changes):
    settings = dict(
        run_dir=str(tmp_path / name),
        cache_dir=str(tmp_path / "cache"),
        dataset="phantom:n=8,seed=3",
        validation="phantom:n=2,seed=4",
        num_steps=2,
        batch_size=6,
        validate_every=1,
        model=TINY,
    )
    return ClassifierRun(**{**settings, **changes})


def test_a_run_in_pieces_is_the_run_in_one(tmp_path):
    whole = run(tiny_run(tmp_path, "whole"))
    assert whole == tmp_path / "whole" / "classifier"
    pieces = tiny_run(tmp_path, "pieces", max_minutes=1e-9)
    calls = 1
    while run(pieces) == tmp_path / "pieces":
        calls += 1
    assert calls == 2
    same = [Classifier.from_pretrained(tmp_path / name / "classifier") for name in ("whole", "pieces")]
    images = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(same[0](images).presence, same[1](images).presence, atol=2e-2, rtol=0)
    log = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [1, 2]
    assert {"presence", "place", "ratio", "validation_ratio"} <= set(json.loads(log[0]))


def test_another_model_in_the_run_directory_is_refused(tmp_path):
    run(tiny_run(tmp_path, "run"))
    with pytest.raises(UserError, match=r"config.yaml: .* has model=.*width=4.* asked for is .*width=8"):
        run(tiny_run(tmp_path, "run", model=ClassifierConfig(32, 8, 16, 4)))


def test_a_run_goes_on_and_refuses_other_settings(tmp_path):
    begun = tiny_run(tmp_path, "run", max_minutes=1e-9)
    assert run(begun) == tmp_path / "run"

    def refuse(message, **changes):
        kept = (tmp_path / "run" / "config.yaml").read_text()
        with pytest.raises(UserError, match=f"the run that is to go on has {message}; .*another run_dir"):
            run(tiny_run(tmp_path, "run", **changes))
        assert (tmp_path / "run" / "config.yaml").read_text() == kept

    refuse("seed=100, asked for is 1", seed=1)
    refuse("augmentation=.*", augmentation=AugmentationConfig(zoom=0.1))
    classifier = run(replace(begun, max_minutes=0.0, threads=2, cache_dir=str(tmp_path / "elsewhere")))
    (tmp_path / "run" / "checkpoint.pt").unlink()
    refuse("dataset=phantom:n=8,seed=3, asked for is phantom:n=9,seed=3", dataset="phantom:n=9,seed=3")
    assert classifier.is_dir()


@pytest.fixture
def films(tmp_path):
    """Twelve films in NIH's layout, eight to train on; every other one has an effusion and is brighter."""
    (tmp_path / "films" / "images").mkdir(parents=True)
    rows = ["Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position,split"]
    for number in range(12):
        labels = "Effusion" if number % 2 else "No Finding"
        rows.append(f"{number:08}_000.png,{labels},{number},50,F,PA,{'val' if number > 7 else 'train'}")
        pixels = np.random.default_rng(number).random((40, 32)) * 0.3 + 0.5 * (number % 2)
        images.write_png(tmp_path / "films" / "images" / f"{number:08}_000.png", pixels)
    (tmp_path / "films" / "Data_Entry.csv").write_text("\n".join(rows) + "\n")
    return f"nih:{tmp_path / 'films'}"


def film_run(films, tmp_path, name="run", **changes):
    data = {"dataset": f"{films},split=train", "validation": f"{films},split=validate", "min_positives": 4}
    return tiny_run(tmp_path, name, **data | changes)


def test_findings_of_films_are_learnt_and_their_auroc_logged(films, tmp_path, capsys):
    whole = run(film_run(films, tmp_path, num_steps=30, validate_every=30, learning_rate=0.01))
    assert "findings: pleural effusion (4 of 8)" in capsys.readouterr().err
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert line["auroc"] == line["auroc: pleural effusion"] == 1.0  # bright against dark
    pieces = film_run(
        films, tmp_path, "pieces", num_steps=30, validate_every=30, learning_rate=0.01, max_minutes=1e-9
    )
    while run(pieces) == tmp_path / "pieces":
        pass
    same = [Classifier.from_pretrained(path) for path in (whole, tmp_path / "pieces" / "classifier")]
    assert same[0].findings == same[1].findings == ("pleural effusion",)
    pixels = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(same[0](pixels).presence, same[1](pixels).presence, atol=0.3, rtol=0)


def test_other_findings_in_the_run_directory_are_refused(films, tmp_path):
    run(film_run(films, tmp_path))
    with pytest.raises(UserError, match=r"has dataset=nih:.*another run_dir"):
        run(tiny_run(tmp_path, "run"))  # phantoms
    (tmp_path / "run" / "config.yaml").unlink()
    with pytest.raises(UserError, match=r"checkpoint.pt holds a classifier of .*another run_dir"):
        run(tiny_run(tmp_path, "run"))


def test_films_that_cannot_be_read_are_left_out_with_their_labels_and_listed(films, tmp_path, monkeypatch):
    for number in (5, 10):  # one to train on, one to validate
        film = tmp_path / "films" / "images" / f"{number:08}_000.png"
        film.write_bytes(film.read_bytes()[:100])
    opened = []
    monkeypatch.setattr(
        _Trainer, "train", lambda self, deadline: opened.extend([self.examples, self.held_out])
    )
    config = film_run(films, tmp_path)
    run(config)
    trained, held_out = opened
    assert trained.targets.presence.flatten().tolist() == [0, 1, 0, 1, 0, 0, 1]
    assert held_out.targets.presence.flatten().tolist() == [0, 1, 1]
    for examples in opened:
        brightness = examples.read(torch.arange(len(examples))).mean((1, 2))
        assert brightness.min() > 10  # none is black
    lines = (tmp_path / "run" / "rejected.jsonl").read_text().splitlines()
    assert [json.loads(line)["name"] for line in lines] == [
        f"{config.dataset}: study 5",
        f"{config.validation}: study 2",
    ]


def test_a_dataset_of_no_readable_film_is_an_error_before_the_run(films, tmp_path):
    for film in (tmp_path / "films" / "images").iterdir():
        film.write_bytes(b"")
    with pytest.raises(UserError, match=r"found none of 8 that can be read; the first: .*00000000_000.png"):
        run(film_run(films, tmp_path))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"findings": ("hernia",)}, "expected studies with and without 'hernia', found 0 with and 8 without"),
        ({"min_positives": 5}, "'pleural effusion': 4 of 8"),
    ],
)
def test_findings_that_cannot_be_learnt_are_named(films, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        run(film_run(films, tmp_path, **changes))


def test_a_dataset_without_labels_is_refused(tmp_path):
    images.write_png(tmp_path / "a.png", np.zeros((32, 32)))
    (tmp_path / "films.csv").write_text("image,text\na.png,Clear lungs.\n")
    unlabelled = f"csv:{tmp_path / 'films.csv'}"
    with pytest.raises(UserError, match=r"films\.csv: expected studies with labels"):
        run(tiny_run(tmp_path, "run", dataset=unlabelled, validation=unlabelled))
    with pytest.raises(UserError, match="does not know its cases"):
        run(tiny_run(tmp_path, "run", validation=unlabelled))


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_can_be_loaded(path):
    config = load(path, [], kinds={"classifier": ClassifierRun})
    assert config.kind == "classifier" and f"configs/classifier/{path.name}" in path.read_text()
