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
from llmcxr.training.classifier import ClassifierRun, ClassifierTrainingConfig, _ClassifierTask, run
from vqgan.training.augmentation import AugmentationConfig
from vqgan.training.loop import Loop, LoopResult
from vqgan.training.run_directory import RunDirectory

TINY = ClassifierConfig(image_size=32, width=4, hidden=16, pooled_channels=4)
CONFIGS = Path(__file__).parents[3] / "configs" / "classifier"


TRAINING = dict(steps=2, batch_size=6, validate_every=1, checkpoint_every=1, log_every=1)


def tiny_run(tmp_path, name, training=None, **changes):
    settings = dict(
        run_dir=str(tmp_path / name),
        cache_dir=str(tmp_path / "cache"),
        dataset="phantom:n=8,seed=3",
        validation="phantom:n=2,seed=4",
        model=TINY,
        training=ClassifierTrainingConfig(**TRAINING | (training or {})),
    )
    return ClassifierRun(**{**settings, **changes})


def test_a_resumed_run_is_the_run_in_one(tmp_path):
    whole = run(tiny_run(tmp_path, "whole"))
    assert whole == tmp_path / "whole" / "classifier"
    pieces = tiny_run(tmp_path, "pieces", {"max_minutes": 1e-9})
    calls = 1
    while run(pieces) == tmp_path / "pieces":
        calls += 1
    assert calls == 2
    same = [Classifier.from_pretrained(tmp_path / name / "classifier") for name in ("whole", "pieces")]
    images = torch.rand(2, 1, 32, 32)
    assert torch.equal(same[0](images).presence, same[1](images).presence)
    logs = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "pieces")]
    assert logs[0] == logs[1]
    lines = [json.loads(line) for line in logs[0].splitlines()]
    assert [(line["step"], line["kind"]) for line in lines] == [
        (step, kind) for step in (1, 2) for kind in ("train", "validation")
    ]
    assert all({"presence", "place", "ratio"} <= set(line) for line in lines)
    assert Classifier.from_pretrained(tmp_path / "whole" / "best").config == TINY


def test_another_model_in_the_run_directory_is_refused(tmp_path):
    run(tiny_run(tmp_path, "run"))
    with pytest.raises(UserError, match=r"config.yaml: .* has model.hidden = 16, now model.hidden = 8"):
        run(tiny_run(tmp_path, "run", model=ClassifierConfig(32, 4, 8, 4)))


def test_a_run_resumes_and_refuses_other_settings(tmp_path):
    begun = tiny_run(tmp_path, "run", {"max_minutes": 1e-9})
    assert run(begun) == tmp_path / "run"

    def refuse(message, **changes):
        kept = (tmp_path / "run" / "config.yaml").read_text()
        with pytest.raises(UserError, match=f"the run to be resumed has {message}.*another run_dir"):
            run(tiny_run(tmp_path, "run", **changes))
        assert (tmp_path / "run" / "config.yaml").read_text() == kept

    refuse("seed = 100, now seed = 1 is asked for", seed=1)
    refuse("training.augmentation.*", training={"augmentation": AugmentationConfig(zoom=0.1)})
    goes_on = replace(begun.training, max_minutes=0.0)
    classifier = run(replace(begun, training=goes_on, threads=2, cache_dir=str(tmp_path / "elsewhere")))
    longer = replace(begun, training=replace(goes_on, steps=3))
    assert run(longer) == classifier and RunDirectory(tmp_path / "run").last_step() == 3
    kept = (tmp_path / "run" / "config.yaml").read_text()
    with pytest.raises(UserError, match="expected at least the 3 steps that this run has done"):
        run(replace(begun, training=goes_on))
    assert (tmp_path / "run" / "config.yaml").read_text() == kept
    refuse("dataset = phantom:n=8,seed=3, now dataset = phantom:n=9,seed=3", dataset="phantom:n=9,seed=3")
    assert classifier.is_dir()


@pytest.fixture
def radiographs(tmp_path):
    """Twelve radiographs in NIH's folders, eight to train on; every other one is brighter, with effusion."""
    (tmp_path / "radiographs" / "images").mkdir(parents=True)
    rows = ["Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position,split"]
    for number in range(12):
        labels = "Effusion" if number % 2 else "No Finding"
        rows.append(f"{number:08}_000.png,{labels},{number},50,F,PA,{'val' if number > 7 else 'train'}")
        pixels = np.random.default_rng(number).random((40, 32)) * 0.3 + 0.5 * (number % 2)
        images.write_png(tmp_path / "radiographs" / "images" / f"{number:08}_000.png", pixels)
    (tmp_path / "radiographs" / "Data_Entry.csv").write_text("\n".join(rows) + "\n")
    return f"nih:{tmp_path / 'radiographs'}"


def radiograph_run(radiographs, tmp_path, name="run", training=None, **changes):
    data = {
        "dataset": f"{radiographs},split=train",
        "validation": f"{radiographs},split=validate",
        "min_positives": 4,
    }
    return tiny_run(tmp_path, name, training, **data | changes)


def test_findings_of_radiographs_are_learnt_and_their_auroc_logged(radiographs, tmp_path, capsys):
    training = {"steps": 30, "validate_every": 30, "learning_rate": 0.01}
    whole = run(radiograph_run(radiographs, tmp_path, training=training))
    assert "findings: pleural effusion (4 of 8)" in capsys.readouterr().err
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert line["auroc"] == line["auroc: pleural effusion"] == 1.0  # bright against dark
    assert Classifier.from_pretrained(whole).findings == ("pleural effusion",)


def test_other_findings_in_the_run_directory_are_refused(radiographs, tmp_path):
    run(radiograph_run(radiographs, tmp_path))
    with pytest.raises(UserError, match=r"has dataset = nih:.*another run_dir"):
        run(tiny_run(tmp_path, "run"))  # phantoms
    (tmp_path / "run" / "config.yaml").unlink()
    with pytest.raises(UserError, match=r"expected the state of this run, found another's .*another run_dir"):
        run(tiny_run(tmp_path, "run"))


def test_radiographs_that_cannot_be_read_are_left_out_with_their_labels_and_listed(
    radiographs, tmp_path, monkeypatch
):
    for number in (5, 10):  # one to train on, one to validate
        radiograph = tmp_path / "radiographs" / "images" / f"{number:08}_000.png"
        radiograph.write_bytes(radiograph.read_bytes()[:100])
    opened = []

    def keep(loop: Loop, task: _ClassifierTask, settings: dict) -> LoopResult:
        opened.extend([task.dataset, task.held_out])
        return LoopResult(0, False, {})

    monkeypatch.setattr(Loop, "run", keep)
    config = radiograph_run(radiographs, tmp_path)
    run(config)
    trained, held_out = opened
    assert trained.targets.presence.flatten().tolist() == [0, 1, 0, 1, 0, 0, 1]
    assert held_out.targets.presence.flatten().tolist() == [0, 1, 1]
    for examples in opened:
        brightness = [float(examples[row]["image"].mean()) for row in range(len(examples))]
        assert min(brightness) > 0.04  # none is black
    lines = (tmp_path / "run" / "rejected.jsonl").read_text().splitlines()
    assert [json.loads(line)["name"] for line in lines] == [
        f"{config.dataset}: study 5",
        f"{config.validation}: study 2",
    ]


def test_a_dataset_of_no_readable_radiograph_is_an_error_before_the_run(radiographs, tmp_path):
    for radiograph in (tmp_path / "radiographs" / "images").iterdir():
        radiograph.write_bytes(b"")
    with pytest.raises(UserError, match=r"found none of 8 that can be read; the first: .*00000000_000.png"):
        run(radiograph_run(radiographs, tmp_path))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"findings": ("hernia",)}, "expected studies with and without 'hernia', found 0 with and 8 without"),
        ({"min_positives": 5}, "'pleural effusion': 4 of 8"),
    ],
)
def test_findings_that_cannot_be_learnt_are_named(radiographs, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        run(radiograph_run(radiographs, tmp_path, **changes))


def test_a_dataset_without_labels_is_refused(tmp_path):
    images.write_png(tmp_path / "a.png", np.zeros((32, 32)))
    (tmp_path / "radiographs.csv").write_text("image,text\na.png,Clear lungs.\n")
    unlabelled = f"csv:{tmp_path / 'radiographs.csv'}"
    with pytest.raises(UserError, match=r"radiographs\.csv: expected studies with labels"):
        run(tiny_run(tmp_path, "run", dataset=unlabelled, validation=unlabelled))
    with pytest.raises(UserError, match="does not know its cases"):
        run(tiny_run(tmp_path, "run", validation=unlabelled))


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_can_be_loaded(path):
    config = load(path, ["dataset=csv:a.csv", "validation=csv:b.csv"], kinds={"classifier": ClassifierRun})
    assert config.kind == "classifier" and f"configs/classifier/{path.name}" in path.read_text()


def test_a_configuration_of_before_the_common_loop_means_the_same(tmp_path):
    """Its augmentations were in pixels and in other units: the same ranges, by other names."""
    (tmp_path / "old.yaml").write_text(
        "kind: classifier\nnum_steps: 600\nbatch_size: 32\nlearning_rate: 0.001\nmodel: {image_size: 64}\n"
        "augmentation: {gamma: 0.3, contrast: 0.3, brightness: 0.15, blur: 0.8, shift: 8, zoom: 0.1}\n"
    )
    config = load(
        tmp_path / "old.yaml",
        ["validate_every=50", "augmentation.shift=4"],
        kinds={"classifier": ClassifierRun},
    )
    training = config.training
    assert (training.steps, training.batch_size, training.learning_rate) == (600, 32, 0.001)
    assert training.validate_every == 50
    changes = training.augmentation
    assert changes.gamma == pytest.approx(np.exp(0.3) - 1)  # an exponent between exp(-0.3) and exp(0.3)
    assert changes.contrast == 0.3 and changes.brightness == pytest.approx(0.05)  # contrast brings 0.1
    assert (changes.blur, changes.shift) == (0.8 / 64, 4 / 64) and changes.zoom == 0.1


def test_a_run_that_an_older_version_began_is_refused(tmp_path):
    config = tiny_run(tmp_path, "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"state")
    with pytest.raises(UserError, match=r"checkpoint.pt: expected a checkpoint of this version"):
        run(config)
