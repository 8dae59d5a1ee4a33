import json
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from llmcxr.common.config import load
from llmcxr.common.errors import UserError
from llmcxr.images.checks import read_summary
from llmcxr.model.judges import read_loss_networks, refuse_loss_networks
from llmcxr.training.tokenizer import CachedImages, TokenizerRun, run
from vqgan import VQGAN, VQGANConfig
from vqgan.layers import CXRConfig
from vqgan.losses import LossConfig
from vqgan.quantizers.fsq import FSQConfig
from vqgan.training.tokenizer import TrainingConfig

TINY = VQGANConfig(
    image_size=32,
    cxr=CXRConfig(stem_channels=8, grid_channels=8, level_blocks=0, grid_blocks=1, num_heads=1),
    fsq=FSQConfig((5, 5)),
)
CONFIGS = Path(__file__).parents[3] / "configs" / "tokenizer"
DATA = ["dataset=csv:a.csv", "validation=csv:b.csv"]  # those for real radiographs have none of their own


@pytest.fixture
def radiographs(tmp_path: Path) -> Path:
    """A CSV of twelve small images of differing sides, nine to train on and three to validate."""
    generator = np.random.default_rng(0)
    lines = ["image,text,split"]
    for number in range(12):
        pixels = generator.integers(0, 256, (6, 5 + number % 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((40, 48)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,Clear lungs.,{'val' if number > 8 else 'train'}")
    (tmp_path / "radiographs.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "radiographs.csv"


def run_of(radiographs: Path, **settings) -> TokenizerRun:
    values = dict(
        run_dir=str(radiographs.parent / "run"),
        dataset=f"csv:{radiographs},split=train",
        validation=f"csv:{radiographs},split=validate",
        cache_dir=str(radiographs.parent / "cache"),
        device="cpu",
        training=TrainingConfig(model=TINY, steps=3, batch_size=4, validate_every=3),
    )
    return TokenizerRun(**(values | settings))


def test_bytes_become_images_and_weights() -> None:
    pixels = np.zeros((2, 2, 4, 4), dtype=np.uint8)
    pixels[1, 0, 0, 0], pixels[1, 1, 2, 3] = 255, 51
    sample = CachedImages(pixels)[1]
    assert set(sample) == {"image", "weight"} and sample["image"].shape == sample["weight"].shape == (1, 4, 4)
    assert sample["image"][0, 0, 0] == 1 and sample["weight"][0, 2, 3] == pytest.approx(0.2)
    assert set(CachedImages(pixels[:, :1])[0]) == {"image"}


def test_a_tokenizer_is_trained_on_a_users_own_radiographs(radiographs: Path) -> None:
    config = run_of(radiographs)
    directory = run(config)
    tokenizer = VQGAN.from_pretrained(directory)
    assert tokenizer.config == TINY
    assert read_summary(directory).num_images == read_summary(directory.with_name("best")).num_images == 9
    assert tokenizer.encode(torch.rand(1, 1, 32, 32)).shape == (1, *TINY.grid)
    kinds = {"tokenizer": TokenizerRun}
    assert load(Path(config.run_dir) / "config.yaml", kinds=kinds) == config
    assert not (Path(config.run_dir) / "training.json").exists()  # one file of settings a run
    lines = (Path(config.run_dir) / "metrics.jsonl").read_text().splitlines()
    assert {json.loads(line)["kind"] for line in lines} == {"train", "validation"}


def test_a_run_resumes_and_refuses_other_settings(radiographs: Path) -> None:
    whole = VQGAN.from_pretrained(
        run(run_of(radiographs, run_dir=str(radiographs.parent / "whole")))
    ).fingerprint
    config = run_of(radiographs)
    cut = replace(config, training=replace(config.training, max_minutes=1e-9))
    run(cut)
    with pytest.raises(UserError, match="another run_dir"):
        run(replace(cut, seed=1))
    kept = load(Path(config.run_dir) / "config.yaml", kinds={"tokenizer": TokenizerRun})
    assert kept == cut  # what was refused has not taken the place of what the run is of
    assert VQGAN.from_pretrained(run(config)).fingerprint == whole


def test_a_run_begun_under_the_old_name_of_a_kind_resumes(radiographs: Path) -> None:
    whole = VQGAN.from_pretrained(
        run(run_of(radiographs, run_dir=str(radiographs.parent / "whole")))
    ).fingerprint
    config = run_of(radiographs)
    cut = replace(config.training, max_minutes=1e-9)
    run(replace(config, training=cut, dataset=config.dataset.replace("csv:", "folder:")))
    assert VQGAN.from_pretrained(run(config)).fingerprint == whole


def test_training_continues_past_radiographs_that_cannot_be_read_and_lists_them(radiographs: Path) -> None:
    for number in (4, 10):  # one to train on, one to validate
        radiograph = radiographs.parent / f"{number}.png"
        radiograph.write_bytes(radiograph.read_bytes()[:100])
    config = run_of(radiographs)
    assert read_summary(run(config)).num_images == 8
    lines = (Path(config.run_dir) / "rejected.jsonl").read_text().splitlines()
    assert [json.loads(line)["name"] for line in lines] == [
        f"{config.dataset}: study 4",
        f"{config.validation}: study 1",
    ]
    assert "4.png: expected a PNG, JPEG or DICOM radiograph" in lines[0]


@pytest.mark.parametrize("limit", [3000, 60_000])  # bytes: within the first weights, or a checkpoint
def test_a_full_disk_is_told_and_the_same_command_resumes(radiographs: Path, limit: int) -> None:
    config = run_of(radiographs)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    run(replace(config, run_dir=str(radiographs.parent / "first")))  # leaves the images in the cache
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(UserError, match=r"run: could not be written .*the same command resumes"):
            run(config)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert run(config).is_dir()


def test_a_dataset_of_no_readable_radiograph_is_an_error_before_the_run(radiographs: Path) -> None:
    for number in range(9):
        (radiographs.parent / f"{number}.png").write_bytes(b"")
    config = run_of(radiographs)
    with pytest.raises(UserError, match=r"found none of 9 that can be read; the first: .*0.png"):
        run(config)
    assert not Path(config.run_dir).exists()


def test_a_feature_loss_and_its_loss_network_go_together(radiographs: Path) -> None:
    for losses in (LossConfig(feature=1), LossConfig(clinical=100)):
        with pytest.raises(UserError, match="needs a loss_network"):
            run_of(radiographs, training=TrainingConfig(losses=losses))
    with pytest.raises(UserError, match="serves nothing else"):
        run_of(radiographs, loss_network="runs/loss_network/classifier")


def test_the_key_of_older_configurations_is_read(tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    file.write_text("kind: tokenizer\nteacher: runs/old/classifier\ntraining: {losses: {feature: 1.0}}\n")
    assert load(file, kinds={"tokenizer": TokenizerRun}).loss_network == "runs/old/classifier"


def test_a_classifier_of_any_size_is_a_loss_network_of_both_losses(radiographs: Path) -> None:
    from llmcxr.model.classifier import Classifier, ClassifierConfig

    Classifier(ClassifierConfig(image_size=64, width=8, hidden=8)).save_pretrained(radiographs.parent / "net")
    losses = LossConfig(feature=0.1, clinical=100.0)
    training = TrainingConfig(model=TINY, losses=losses, steps=1, batch_size=2, log_every=1)
    config = run_of(radiographs, loss_network=str(radiographs.parent / "net"), training=training)
    run(config)
    first = json.loads((Path(config.run_dir) / "metrics.jsonl").read_text().splitlines()[0])
    assert first["feature"] > 0 and first["clinical"] > 0
    taught = Path(config.run_dir) / "model"
    with pytest.raises(UserError, match="found one of its loss networks"):
        refuse_loss_networks(read_loss_networks(taught), [radiographs.parent / "net"])
    again = replace(training, losses=LossConfig(), start_from=str(taught))
    run(run_of(radiographs, run_dir=str(radiographs.parent / "again"), training=again))
    assert read_loss_networks(radiographs.parent / "again" / "model") == read_loss_networks(taught)


def test_a_tokenizer_of_a_killed_run_has_its_loss_networks_and_training_images(
    radiographs: Path, monkeypatch
) -> None:
    from llmcxr.model.classifier import Classifier, ClassifierConfig

    Classifier(ClassifierConfig(image_size=64, width=8, hidden=8)).save_pretrained(radiographs.parent / "net")
    training = TrainingConfig(
        model=TINY,
        losses=LossConfig(clinical=0.1),
        steps=3,
        batch_size=2,
        checkpoint_every=1,
        validate_every=1,
    )
    config = run_of(radiographs, loss_network=str(radiographs.parent / "net"), training=training)

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vqgan.training.run_directory.RunDirectory.write_checkpoint", kill)
    with pytest.raises(KeyboardInterrupt):
        run(config)
    for name in ("model", "best"):
        assert list(read_loss_networks(Path(config.run_dir) / name).values()) == [config.loss_network]
        assert read_summary(Path(config.run_dir) / name).num_images == 9


def test_settings_that_cannot_be_resumed_are_refused_before_images_are_read(radiographs: Path) -> None:
    VQGAN(replace(TINY, fsq=FSQConfig((5, 3)))).save_pretrained(radiographs.parent / "other")
    training = TrainingConfig(model=TINY, start_from=str(radiographs.parent / "other"))
    config = run_of(radiographs, training=training)
    with pytest.raises(
        UserError, match=r"other does not fit model: fsq.levels is \(5, 3\) there, \(5, 5\) here"
    ):
        run(config)
    assert not Path(config.run_dir).exists() and not Path(config.cache_dir).exists()


def test_patients_of_training_and_validation_are_warned_of(radiographs: Path, caplog) -> None:
    run(run_of(radiographs))
    assert not caplog.records
    run(run_of(radiographs, run_dir=str(radiographs.parent / "again"), dataset=f"csv:{radiographs}"))
    assert "3 of 3 patients of validation" in caplog.text


def test_a_missing_file_is_a_users_error(radiographs: Path) -> None:
    losses = LossConfig(lpips=1, lpips_vgg="no_vgg.pth", lpips_heads="no_heads.pth")
    with pytest.raises(UserError, match=r"no_vgg.pth: expected a checkpoint, found no such file"):
        run(run_of(radiographs, training=TrainingConfig(model=TINY, losses=losses)))


def test_wrong_weights_of_a_loss_network_are_said_with_the_file(radiographs: Path) -> None:
    torch.save({"features.conv0.weight": torch.zeros(1)}, radiographs.parent / "wrong.pt")
    training = TrainingConfig(model=TINY, losses=LossConfig(clinical=100.0))
    config = run_of(radiographs, loss_network=f"xrv:{radiographs.parent / 'wrong.pt'}", training=training)
    with pytest.raises(UserError, match=r"wrong.pt: expected the weights of a torchxrayvision DenseNet-121"):
        run(config)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_can_be_loaded(path: Path) -> None:
    config = load(path, DATA, kinds={"tokenizer": TokenizerRun})
    assert config.kind == "tokenizer"
    assert path.read_text().startswith("# ") and f"configs/tokenizer/{path.name}" in path.read_text()


F8 = "cell_height=8 cell_width=8 taming.multipliers=[1,2,2,4] taming.attention_sides=[32]"
F32 = "cell_height=32 cell_width=32 taming.multipliers=[1,1,2,2,4,4] taming.attention_sides=[8]"


@pytest.mark.parametrize(
    ("name", "overrides", "grid", "codebook_size"),
    [
        ("taming_f16", "", 16, 1024),
        ("taming_f16", F8, 32, 1024),
        ("taming_f16", F32, 8, 1024),
        ("taming_f16", "image_size=512 taming.attention_sides=[32]", 32, 1024),
        ("cxr_f16", "", 16, 4096),
        ("cxr_f16", "cell_height=8 cell_width=8", 32, 4096),
        ("cxr_f16", "cell_height=32 cell_width=32", 8, 4096),
        ("cxr_f16", "cell_height=8 cell_width=32", (32, 8), 4096),
        ("cxr_f16", "image_size=512", 32, 4096),
        ("cxr_f16", "quantizer=vq fsq.levels=[8,5,5,5] vq.codebook_size=2048", 16, 2048),
        ("cxr_f16", "quantizer=vq levels=[8,5,5,5] vq.codebook_size=2048", 16, 2048),  # by its old name
    ],
)
def test_the_overrides_in_the_headers(name: str, overrides: str, grid: object, codebook_size: int) -> None:
    settings = [*DATA, *(f"training.model.{override}" for override in overrides.split())]
    model = load(CONFIGS / f"{name}.yaml", settings, kinds={"tokenizer": TokenizerRun}).training.model
    assert model.grid == (grid if isinstance(grid, tuple) else (grid, grid))
    assert model.codebook_size == codebook_size


def test_an_impossible_grid_in_a_config_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cell_width 12 does not divide image_size 128"):
        load(CONFIGS / "phantom.yaml", ["training.model.cell_width=12"], kinds={"tokenizer": TokenizerRun})
