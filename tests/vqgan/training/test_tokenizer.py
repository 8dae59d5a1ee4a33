import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from torch.utils.data import Dataset

from tests.processes import free_port, join
from tests.vqgan.test_losses import Halving
from vqgan import VQGAN, VQGANConfig
from vqgan.discriminator import DiscriminatorConfig
from vqgan.errors import UserError
from vqgan.layers import CXRConfig
from vqgan.losses import LossConfig
from vqgan.quantizers.fsq import FSQConfig
from vqgan.quantizers.simvq import SimVQConfig
from vqgan.quantizers.taming import TamingCodebookConfig
from vqgan.quantizers.vq import VQConfig
from vqgan.training.augmentation import AugmentationConfig
from vqgan.training.tokenizer import (
    TrainingConfig,
    TrainingResult,
    check_start,
    check_training_json,
    train,
)

CONFIG = TrainingConfig(
    model=VQGANConfig(
        image_size=32,
        fsq=FSQConfig((5, 5)),
        cxr=CXRConfig(stem_channels=8, grid_channels=16, level_blocks=0, grid_blocks=1, num_heads=2),
    ),
    steps=8,
    batch_size=4,
    warmup_steps=2,
    log_every=3,
    validate_every=4,
    checkpoint_every=2,
)


class Blobs(Dataset):
    """Smooth random images with the weight map at their bright parts."""

    def __init__(self, count: int, seed: int) -> None:
        coarse = torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
        self.images = torch.nn.functional.interpolate(coarse, size=32, mode="bilinear")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"image": self.images[index], "weight": (self.images[index] > 0.8).float()}


class LossNetwork(torch.nn.Module):
    """A feature network with weights, which takes images of its own precision only."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(1, 4, 3, stride=2)

    def features(self, images: torch.Tensor) -> list[torch.Tensor]:
        return [self.convolution(images)]

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        return self.convolution(images).mean((2, 3))


class Interrupted(Blobs):
    """Fails, as a killed run would, when it has been read `reads` times."""

    def __init__(self, count: int, seed: int, reads: int) -> None:
        super().__init__(count, seed)
        self.reads = reads

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        self.reads -= 1
        if self.reads < 0:
            raise KeyboardInterrupt
        return super().__getitem__(index)


def train_blobs(
    run_dir: Path, config: TrainingConfig = CONFIG, dataset: Dataset | None = None, **kwargs
) -> TrainingResult:
    return train(config, dataset or Blobs(10, 0), run_dir, validation=Blobs(5, 1), device="cpu", **kwargs)


def metrics_of(run_dir: Path) -> list[dict]:
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def fingerprint_of(run_dir: Path) -> str:
    return VQGAN.from_pretrained(run_dir / "model").fingerprint


def with_codebook(**settings) -> VQGANConfig:
    """The model of CONFIG with a learned codebook."""
    return replace(CONFIG.model, fsq=FSQConfig(), **settings)


EVERYTHING = replace(
    CONFIG,
    model=with_codebook(quantizer="vq", vq=VQConfig(codebook_size=32, codebook_dim=4, revive_after=2)),
    ema_decay=0.5,
    augmentation=AugmentationConfig(shift=0.1, gamma=0.1),
    discriminator=DiscriminatorConfig(
        weight=0.1, start_step=1, channels=8, num_layers=2, scales=2, lecam=0.1, lecam_decay=0.5
    ),
    losses=LossConfig(feature=0.1, clinical=1.0, l1=0.5),
)
BY_GRADIENT = replace(
    CONFIG,
    model=with_codebook(
        quantizer="vq",
        vq=VQConfig(codebook_size=32, codebook_dim=4, update="gradient", entropy=0.1, revive_after=2),
    ),
)


@pytest.mark.parametrize(
    "config", [CONFIG, EVERYTHING, BY_GRADIENT], ids=["plain", "everything", "codebook by gradient"]
)
def test_a_killed_run_resumes_with_the_same_curve(tmp_path: Path, config: TrainingConfig) -> None:
    network = Halving() if config.losses.needs_features else None
    whole = train_blobs(tmp_path / "whole", config, feature_network=network)
    with pytest.raises(
        KeyboardInterrupt
    ):  # in step 6: the checkpoint is of step 4, the metrics of step 3 and 4
        train_blobs(tmp_path / "cut", config, Interrupted(10, 0, reads=22), feature_network=network)
    resumed = train_blobs(tmp_path / "cut", config, feature_network=network)
    assert resumed.step == whole.step == 8 and resumed.is_finished
    assert metrics_of(tmp_path / "cut") == metrics_of(tmp_path / "whole")
    assert fingerprint_of(tmp_path / "cut") == fingerprint_of(tmp_path / "whole")


def test_a_checkpoint_holds_what_the_codebook_remembers(tmp_path: Path) -> None:
    train_blobs(tmp_path, replace(EVERYTHING, steps=3), feature_network=Halving())
    checkpoint = max((tmp_path / "checkpoints").iterdir())
    states = [torch.load(file, weights_only=True) for file in checkpoint.glob("custom_checkpoint_*.pkl")]
    (statistics,) = [state for state in states if "means" in state]
    assert statistics["steps"] == 3 and statistics["idle"].max() <= 3
    saved = load_file(tmp_path / "model" / "model.safetensors")
    assert "quantizer.vectors" in saved and "quantizer.means" not in saved


@pytest.fixture
def any_precision() -> Iterator[None]:
    """accelerate keeps the precision of a process's first run for all that follow."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("any_precision")
@pytest.mark.parametrize(
    "settings",
    [
        dict(quantizer="simvq", simvq=SimVQConfig(codebook_size=16, codebook_dim=4)),
        dict(quantizer="taming", taming_codebook=TamingCodebookConfig(codebook_size=16, codebook_dim=4)),
    ],
    ids=["simvq", "taming"],
)
def test_every_quantizer_can_be_trained_in_bfloat16(tmp_path: Path, settings: dict) -> None:
    config = replace(
        CONFIG,
        model=with_codebook(**settings),
        losses=LossConfig(feature=0.1, clinical=1.0),
        discriminator=DiscriminatorConfig(weight=0.1, start_step=1, channels=8, num_layers=2),
        steps=2,
        mixed_precision="bf16",
    )
    result = train_blobs(tmp_path, config, feature_network=LossNetwork())
    lines = metrics_of(tmp_path)
    assert all(
        math.isfinite(value) for line in lines for value in line.values() if not isinstance(value, str)
    )
    assert lines[0]["quantizer"] > 0 and 0 < lines[0]["usage"] <= 1
    assert lines[0]["feature"] > 0 and lines[0]["clinical"] > 0
    assert VQGAN.from_pretrained(result.model_dir).config.quantizer == settings["quantizer"]


def test_a_run_from_before_there_was_a_setting_resumes(tmp_path: Path) -> None:
    train_blobs(tmp_path / "whole")
    train_blobs(tmp_path / "old", replace(CONFIG, max_minutes=1e-9))
    settings = json.loads((tmp_path / "old" / "training.json").read_text())
    for name in ("architecture", "quantizer", "taming", "vq"):
        del settings["model"][name]
    del settings["tensorboard"], settings["losses"]["clinical"], settings["discriminator"]["scales"]
    (tmp_path / "old" / "training.json").write_text(json.dumps(settings))
    train_blobs(tmp_path / "old")
    assert fingerprint_of(tmp_path / "old") == fingerprint_of(tmp_path / "whole")


def test_curves_and_sheets_go_to_tensorboard_unless_switched_off(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs pip install llmcxr[log]")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train_blobs(tmp_path / "on", replace(CONFIG, steps=4))
    events = EventAccumulator(str(tmp_path / "on" / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [3, 4]
    assert set(events.Tags()["scalars"]) >= {"train/psnr", "train/usage", "validation/psnr"}
    assert [event.step for event in events.Images("reconstructions")] == [4]
    train_blobs(tmp_path / "off", replace(CONFIG, steps=1, tensorboard=False))
    assert not (tmp_path / "off" / "tensorboard").exists()


def test_a_run_stopped_by_the_clock_resumes_with_the_same_curve(tmp_path: Path) -> None:
    train_blobs(tmp_path / "whole")
    pieces = [train_blobs(tmp_path / "pieces", replace(CONFIG, max_minutes=1e-9)) for _ in range(3)]
    assert [(piece.step, piece.is_finished) for piece in pieces] == [(1, False), (2, False), (3, False)]
    assert train_blobs(tmp_path / "pieces").is_finished
    assert metrics_of(tmp_path / "pieces") == metrics_of(tmp_path / "whole")
    assert fingerprint_of(tmp_path / "pieces") == fingerprint_of(tmp_path / "whole")


def test_a_finished_run_stays_as_it_is(tmp_path: Path) -> None:
    first = train_blobs(tmp_path)
    before = metrics_of(tmp_path)
    assert train_blobs(tmp_path) == first
    assert metrics_of(tmp_path) == before


def test_training_lowers_the_loss_and_leaves_a_whole_run_directory(tmp_path: Path) -> None:
    result = train_blobs(
        tmp_path, replace(CONFIG, steps=90, log_every=10, validate_every=30, checkpoint_every=30)
    )
    losses = [line["loss"] for line in metrics_of(tmp_path) if line["kind"] == "train"]
    assert losses[-1] < losses[0] / 2
    assert result.metrics["psnr"] > 15 and set(result.metrics) >= {
        "ssim",
        "usage",
        "perplexity",
        "psnr_salient",
    }
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {
        "training.json",
        "environment.json",
        "log.txt",
        "metrics.jsonl",
        "model",
        "best",
        "checkpoints",
    }
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["step_00000060", "step_00000090"]
    assert [path.name for path in sorted((tmp_path / "sheets").iterdir())] == [
        "step_00000030.png",
        "step_00000060.png",
        "step_00000090.png",
    ]
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__


def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    prints = []
    for number, seed in enumerate((0, 0, 1)):
        train_blobs(tmp_path / str(number), replace(CONFIG, steps=2), seed=seed)
        prints.append(fingerprint_of(tmp_path / str(number)))
    assert prints[0] == prints[1] != prints[2]


def test_a_run_begins_with_the_weights_of_another(tmp_path: Path) -> None:
    first = train_blobs(tmp_path / "first", replace(CONFIG, steps=1))
    still = replace(CONFIG, steps=1, learning_rate=0, muon_learning_rate=0, start_from=str(first.model_dir))
    train_blobs(tmp_path / "second", still, seed=1)
    assert fingerprint_of(tmp_path / "second") == fingerprint_of(tmp_path / "first")
    other = replace(still, model=replace(CONFIG.model, fsq=FSQConfig((5, 3))))
    with pytest.raises(
        ValueError, match=r"does not fit model: fsq.levels is \(5, 5\) there, \(5, 3\) here; give"
    ):
        train_blobs(tmp_path / "third", other)
    with pytest.raises(UserError, match="levels is"):
        check_start(other)
    assert not (tmp_path / "third").exists()


def test_a_run_of_other_settings_is_not_continued(tmp_path: Path) -> None:
    train_blobs(tmp_path, replace(CONFIG, steps=2))
    with pytest.raises(UserError, match="batch_size = 4, now batch_size = 2 is asked for"):
        train_blobs(tmp_path, replace(CONFIG, steps=2, batch_size=2))
    with pytest.raises(UserError, match="batch_size = 4"):
        check_training_json(replace(CONFIG, steps=2, batch_size=2), tmp_path, seed=0)
    check_training_json(replace(CONFIG, steps=2), tmp_path, seed=0)


def test_a_missing_feature_network_is_said_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no feature network"):
        train_blobs(tmp_path / "run", replace(CONFIG, losses=LossConfig(feature=1)))
    assert not (tmp_path / "run").exists()


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        TrainingConfig(batch_size=0)
    with pytest.raises(ValueError, match="mixed_precision must be one of no, bf16, fp16, got 'b16'"):
        TrainingConfig(mixed_precision="b16")
    with pytest.raises(ValueError, match="wandb must be '', 'offline' or 'online', got 'yes'"):
        TrainingConfig(wandb="yes")


# -- several processes ---------------------------------------------------------------------------------------


def _train_a_share(rank: int, port: int, run_dir: Path, max_minutes: float) -> None:
    """The training in one of two processes."""
    join(rank, port)
    train_blobs(run_dir, replace(CONFIG, max_minutes=max_minutes))
    torch.distributed.destroy_process_group()


def _weights_of(run_dir: Path) -> dict[str, torch.Tensor]:
    return load_file(run_dir / "model" / "model.safetensors")


@pytest.mark.slow
def test_two_processes_train_as_one_does_and_resume_together(tmp_path):
    """The halves of a batch, averaged, are the batch: the weights are one process's but for rounding."""
    for max_minutes in (1e-9, 0):  # the second resumes from the first's one step
        torch.multiprocessing.spawn(_train_a_share, (free_port(), tmp_path / "two", max_minutes), nprocs=2)
    train_blobs(tmp_path / "one")
    together, alone = _weights_of(tmp_path / "two"), _weights_of(tmp_path / "one")
    torch.manual_seed(0)
    begun = VQGAN(CONFIG.model).state_dict()
    moved = max(float((alone[name] - begun[name]).abs().max()) for name in alone)
    apart = max(float((alone[name] - together[name]).abs().max()) for name in alone)
    assert apart < 0.01 * moved
    steps = [line["step"] for line in metrics_of(tmp_path / "two") if line["kind"] == "train"]
    assert steps == sorted(set(steps))  # written by one of them only
