import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from llmcxr.config import load
from llmcxr.errors import UserError
from llmcxr.image_statistics import read_summary
from llmcxr.training.tokenizer import CachedImages, TokenizerRun, run
from vqgan import VQGAN, VQGANConfig
from vqgan.losses import LossConfig
from vqgan.training import TrainingConfig

TINY = VQGANConfig(
    image_size=32, levels=(5, 5), stem_channels=8, grid_channels=8, level_blocks=0, grid_blocks=1, num_heads=1
)
CONFIGS = Path(__file__).parents[3] / "configs" / "tokenizer"


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A CSV of twelve small images of differing sides, nine to train on and three to validate."""
    generator = np.random.default_rng(0)
    lines = ["image,text,split"]
    for number in range(12):
        pixels = generator.integers(0, 256, (6, 5 + number % 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((40, 48)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,Clear lungs.,{'val' if number > 8 else 'train'}")
    (tmp_path / "films.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "films.csv"


def run_of(films: Path, **settings) -> TokenizerRun:
    values = dict(
        run_dir=str(films.parent / "run"),
        dataset=f"folder:{films},split=train",
        validation=f"folder:{films},split=validate",
        cache_dir=str(films.parent / "cache"),
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


def test_a_tokenizer_is_trained_on_a_users_own_films(films: Path) -> None:
    config = run_of(films)
    directory = run(config)
    tokenizer = VQGAN.from_pretrained(directory)
    assert tokenizer.config == TINY
    assert read_summary(directory).num_images == read_summary(directory.with_name("best")).num_images == 9
    assert tokenizer.encode(torch.rand(1, 1, 32, 32)).shape == (1, *TINY.grid)
    kinds = {"tokenizer": TokenizerRun}
    assert load(Path(config.run_dir) / "config.yaml", kinds=kinds) == config
    lines = (Path(config.run_dir) / "metrics.jsonl").read_text().splitlines()
    assert {json.loads(line)["kind"] for line in lines} == {"train", "validation"}


def test_a_run_goes_on_and_refuses_other_settings(films: Path) -> None:
    whole = VQGAN.from_pretrained(run(run_of(films, run_dir=str(films.parent / "whole")))).fingerprint
    config = run_of(films)
    cut = replace(config, training=replace(config.training, max_minutes=1e-9))
    run(cut)
    with pytest.raises(UserError, match="another run_dir"):
        run(replace(cut, seed=1))
    assert VQGAN.from_pretrained(run(config)).fingerprint == whole


def test_a_feature_loss_and_its_teacher_go_together(films: Path) -> None:
    with pytest.raises(UserError, match="needs a teacher"):
        run_of(films, training=TrainingConfig(losses=LossConfig(feature=1)))
    with pytest.raises(UserError, match="serves nothing else"):
        run_of(films, teacher="runs/teacher/classifier")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_can_be_loaded(path: Path) -> None:
    config = load(path, [], kinds={"tokenizer": TokenizerRun})
    assert config.kind == "tokenizer"
    assert path.read_text().startswith("# ") and f"configs/tokenizer/{path.name}" in path.read_text()


def test_an_impossible_grid_in_a_config_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cell_width 12 does not divide image_size 128"):
        load(CONFIGS / "phantom.yaml", ["training.model.cell_width=12"], kinds={"tokenizer": TokenizerRun})
