"""A small convolutional network that says what is in a phantom radiograph: findings, side, zone, heart size.

It is no part of the language model. One trained instance may be the frozen teacher of a tokenizer's feature
loss; another, trained apart, judges drawings (`llmcxr/pretrained/evaluator`). Trained on phantoms it knows
phantoms: on a patient's radiograph its output means nothing.

Shapes: B images, C channels, H = W = `image_size`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llmcxr.data.phantom.case import FINDINGS, ZONES
from llmcxr.errors import UserError
from llmcxr.files import replacing

# What can be asked of a finding beyond its presence. A finding that is missing has no side or zone of its
# own.
SIDE_CHOICES: dict[str, tuple[str, ...]] = {
    "pleural effusion": ("left", "right", "bilateral"),
    "pneumothorax": ("left", "right"),
    "consolidation": ("left", "right"),
    "nodule": ("left", "right"),
    "atelectasis": ("left", "right"),
    "pacemaker": ("left", "right"),
    "central line": ("left", "right"),
}
ZONE_CHOICES: dict[str, tuple[str, ...]] = {
    name: ZONES for name in ("consolidation", "nodule", "atelectasis")
}
RATIO_CENTRE, RATIO_SCALE = 0.5, 0.07  # the ratio is regressed in these units


@dataclass(frozen=True)
class ClassifierConfig:
    image_size: int = 128
    width: int = 32  # channels of the first stage; the others are 2 and 3 times as wide
    hidden: int = 192
    pooled_channels: int = 32  # per cell of the last map, kept apart so that position is known
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.image_size % 16:
            raise ValueError(f"image_size must be a multiple of 16, got {self.image_size}")


@dataclass(frozen=True)
class FindingReading:
    probability: float  # 0..1, of being present
    side: str = ""  # the likeliest side if present; empty where the finding has none
    zone: str = ""


@dataclass(frozen=True)
class ClassifierReading:
    findings: Mapping[str, FindingReading]
    cardiothoracic_ratio: float

    @property
    def present(self) -> tuple[str, ...]:
        return tuple(name for name, reading in self.findings.items() if reading.probability >= 0.5)


@dataclass(frozen=True)
class ClassifierOutput:
    """Logits. `sides` and `zones` map a finding to (B, choices); `ratio` is the cardiothoracic ratio
    itself."""

    presence: Tensor  # (B, len(FINDINGS))
    sides: Mapping[str, Tensor]
    zones: Mapping[str, Tensor]
    ratio: Tensor  # (B,)


class _Block(nn.Module):
    """Halve by a 3x3 convolution, then refine by another around a residual path."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.down = nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1, bias=False)
        self.down_norm = nn.BatchNorm2d(channels_out)
        self.same = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.same_norm = nn.BatchNorm2d(channels_out)

    def forward(self, maps: Tensor) -> Tensor:
        halved = F.relu(self.down_norm(self.down(maps)))
        return F.relu(halved + self.same_norm(self.same(halved)))


class Classifier(nn.Module):
    def __init__(self, config: ClassifierConfig | None = None):
        super().__init__()
        self.config = config = config or ClassifierConfig()
        width = config.width
        # 2 x 2 pixels become channels first: full resolution is where a CPU loses its time
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList([_Block(width, 2 * width), _Block(2 * width, 3 * width)])
        cells = (config.image_size // 16) ** 2
        self.pool = nn.Conv2d(3 * width, config.pooled_channels, 1)
        self.hidden = nn.Linear(config.pooled_channels * cells + 3 * width, config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden, len(FINDINGS) + sum(map(len, _choice_lists())) + 1)

    def features(self, images: Tensor) -> list[Tensor]:
        """(B, 1, H, W) in [0, 1] -> three maps of 1/4, 1/8 and 1/16 of the size, each after its ReLU."""
        maps = [self.stem((images - 0.5) / 0.25)]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps

    def embed(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) as `forward` takes them -> (B, hidden): what every output is a linear map of."""
        expected = (1, self.config.image_size, self.config.image_size)
        if tuple(images.shape[1:]) != expected:
            raise ValueError(f"expected images (B, {expected}), got {tuple(images.shape)}")
        deepest = self.features(images)[-1]
        placed = F.relu(self.pool(deepest)).flatten(1)
        return F.relu(self.hidden(torch.cat([placed, deepest.amax((2, 3))], dim=1)))

    def forward(self, images: Tensor) -> ClassifierOutput:
        """(B, 1, H, W) float in [0, 1], bright = dense, H = W = image_size."""
        return _split(self.head(self.dropout(self.embed(images))))

    @torch.no_grad()
    def predict(self, images: np.ndarray | Tensor, batch_size: int = 64) -> list[ClassifierReading]:
        """(N, H, W) or (N, 1, H, W) in [0, 1], any square size (resampled) -> a reading of each."""
        was_training = self.training
        self.eval()
        parameter = next(self.parameters())
        pixels = torch.as_tensor(images).to(parameter.dtype)
        pixels = pixels.reshape(len(pixels), 1, *pixels.shape[-2:])
        readings: list[ClassifierReading] = []
        for batch in pixels.split(batch_size):
            batch = _resized(batch.to(parameter.device), self.config.image_size)
            readings += _readings(self(batch))
        self.train(was_training)
        return readings

    def save_pretrained(self, directory: str | Path) -> None:
        """Write config.json and model.safetensors (half precision: the loaded net computes in float32)."""
        from safetensors.torch import save_file

        directory = Path(directory)
        weights = {
            name: value.half() if value.is_floating_point() else value
            for name, value in self.state_dict().items()
        }
        with replacing(directory / "model.safetensors") as beside:
            save_file({name: value.contiguous() for name, value in weights.items()}, beside)
        config = {"architecture": "llmcxr.Classifier", "findings": list(FINDINGS), **asdict(self.config)}
        with replacing(directory / "config.json") as beside:
            beside.write_text(json.dumps(config, indent=2) + "\n")

    @classmethod
    def from_pretrained(cls, directory: str | Path) -> Classifier:
        """Load what `save_pretrained` wrote, in evaluation mode, float32."""
        from safetensors.torch import load_file

        directory = Path(directory)
        for name in ("config.json", "model.safetensors"):
            if not (directory / name).is_file():
                raise UserError(f"{directory} is no classifier directory: {name} is missing")
        config = json.loads((directory / "config.json").read_text())
        config.pop("architecture", None)
        if (known := config.pop("findings", None)) != list(FINDINGS):
            raise UserError(f"the classifier in {directory} knows the findings {known}, not {list(FINDINGS)}")
        classifier = cls(ClassifierConfig(**config))
        weights = load_file(directory / "model.safetensors")
        classifier.load_state_dict({name: _full(value) for name, value in weights.items()})
        return classifier.eval()


def _full(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def _choice_lists() -> list[Sequence[str]]:
    return [*SIDE_CHOICES.values(), *ZONE_CHOICES.values()]


def _split(logits: Tensor) -> ClassifierOutput:
    """(B, outputs) -> named parts, in the order: presence, sides, zones, ratio."""
    lengths = [len(FINDINGS), *map(len, _choice_lists()), 1]
    presence, *choices, ratio = logits.split(lengths, dim=1)
    sides = dict(zip(SIDE_CHOICES, choices[: len(SIDE_CHOICES)], strict=True))
    zones = dict(zip(ZONE_CHOICES, choices[len(SIDE_CHOICES) :], strict=True))
    return ClassifierOutput(presence, sides, zones, RATIO_CENTRE + RATIO_SCALE * ratio[:, 0])


def _resized(images: Tensor, size: int) -> Tensor:
    if images.shape[-2] != images.shape[-1]:
        raise ValueError(f"expected square images, got {tuple(images.shape[-2:])}; letterbox with images.fit")
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def _readings(output: ClassifierOutput) -> list[ClassifierReading]:
    probabilities = output.presence.sigmoid().tolist()
    sides = {name: logits.argmax(1).tolist() for name, logits in output.sides.items()}
    zones = {name: logits.argmax(1).tolist() for name, logits in output.zones.items()}
    ratios = output.ratio.tolist()

    def finding(row: int, column: int, name: str) -> FindingReading:
        side = SIDE_CHOICES[name][sides[name][row]] if name in sides else ""
        zone = ZONE_CHOICES[name][zones[name][row]] if name in zones else ""
        return FindingReading(probabilities[row][column], side, zone)

    return [
        ClassifierReading(
            {name: finding(row, column, name) for column, name in enumerate(FINDINGS)}, ratios[row]
        )
        for row in range(len(ratios))
    ]
