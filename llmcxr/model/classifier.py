"""Tell by a small convolutional network which findings a radiograph shows.

On phantoms it also tells where they are and how large the heart is.

It is no part of the language model. One trained instance may be the frozen loss network of a tokenizer's
feature and clinical losses; another, trained apart, judges drawings (`llmcxr/pretrained/evaluator`) and
reconstructions. Trained on phantoms it knows phantoms: on a patient's radiograph its output means nothing.

Shapes: B images, C channels, H = W any; outputs are of the image resampled to `image_size`. F findings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llmcxr.common.device import choose_device
from llmcxr.common.errors import UserError
from llmcxr.common.files import replacing
from llmcxr.common.guard import Kind
from llmcxr.data.phantom.case import FINDINGS, ZONES
from llmcxr.findings import FINDINGS as FINDING_TABLE
from llmcxr.images import check_brightness
from vqgan.finite import check_finite, check_weights
from vqgan.json_text import from_json, to_json

# What can be asked of a finding beyond its presence. A finding that is missing has no side or zone of its
# own.
SIDE_CHOICES = {finding.name: finding.sides for finding in FINDING_TABLE if finding.sides}
ZONE_CHOICES = {finding.name: ZONES for finding in FINDING_TABLE if finding.is_zoned}
ARCHITECTURE = "llmcxr.Classifier"
CONFIG = Kind(
    "the description of a classifier",
    lambda path: f'"architecture": "{ARCHITECTURE}"' in path.read_text(encoding="utf-8"),
)
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
    cardiothoracic_ratio: float | None = None  # None from a classifier that was not taught it

    @property
    def present(self) -> tuple[str, ...]:
        return tuple(name for name, reading in self.findings.items() if reading.probability >= 0.5)


def to_probabilities(readings: Sequence[ClassifierReading], findings: Sequence[str]) -> np.ndarray:
    """Return (N, F) float: how probable N readings hold each of `findings`."""
    rows = [[reading.findings[name].probability for name in findings] for reading in readings]
    return np.array(rows, np.float64).reshape(len(readings), len(findings))


@dataclass(frozen=True)
class ClassifierOutput:
    """Holds logits; `sides` and `zones` map a finding to (B, choices), `ratio` is the ratio itself.

    A classifier that predicts no location gives presence alone.
    """

    presence: Tensor  # (B, F)
    sides: Mapping[str, Tensor] = field(default_factory=dict)
    zones: Mapping[str, Tensor] = field(default_factory=dict)
    ratio: Tensor | None = None  # (B,)


class _Block(nn.Module):
    """Halves by a 3x3 convolution, then refines by another around a residual path."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.down = nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1, bias=False)
        self.down_norm = nn.BatchNorm2d(channels_out)
        self.same = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.same_norm = nn.BatchNorm2d(channels_out)

    def forward(self, maps: Tensor) -> Tensor:
        halved = F.relu(self.down_norm(self.down(maps)))  # (B, C, H / 2, W / 2)
        return F.relu(halved + self.same_norm(self.same(halved)))


class Classifier(nn.Module):
    """Predicts `findings`, and where `predicts_location` also side, zone and the cardiothoracic ratio."""

    def __init__(
        self,
        config: ClassifierConfig | None = None,
        findings: Sequence[str] = FINDINGS,
        predicts_location: bool = True,
    ):
        super().__init__()
        self.config = config = config or ClassifierConfig()
        self.findings, self.predicts_location = tuple(findings), predicts_location
        placed = self.findings if predicts_location else ()
        self.side_choices = {name: words for name, words in SIDE_CHOICES.items() if name in placed}
        self.zone_choices = {name: words for name, words in ZONE_CHOICES.items() if name in placed}
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
        self.head = nn.Linear(config.hidden, sum(self._output_lengths()))

    def features(self, images: Tensor) -> list[Tensor]:
        """Return three maps of (B, 1, H, W) in [0, 1], of 1/4, 1/8 and 1/16 of the size, after their ReLU."""
        maps = [self.stem((images - 0.5) / 0.25)]  # (B, width, H / 4, W / 4)
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps

    def embed(self, images: Tensor) -> Tensor:
        """Embed (B, 1, H, W) as (B, hidden), of which every output is a linear map."""
        deepest = self.features(_resized(images, self.config.image_size))[-1]  # (B, C, h, w)
        placed = F.relu(self.pool(deepest)).flatten(1)  # (B, pooled_channels * h * w)
        return F.relu(self.hidden(torch.cat([placed, deepest.amax((2, 3))], dim=1)))

    def forward(self, images: Tensor) -> ClassifierOutput:
        """Classify (B, 1, H, W) float in [0, 1], bright = dense, any H = W (resampled, with gradients)."""
        return self._split(self.head(self.dropout(self.embed(images))))

    def _output_lengths(self) -> list[int]:
        """Count the head's outputs in their order: presence, sides, zones, ratio."""
        choices = [*self.side_choices.values(), *self.zone_choices.values()]
        return [len(self.findings), *map(len, choices), *([1] if self.predicts_location else [])]

    def _split(self, logits: Tensor) -> ClassifierOutput:
        """Name the parts of (B, outputs)."""
        parts = iter(logits.split(self._output_lengths(), dim=1))  # (B, choices) each
        presence = next(parts)  # (B, F)
        sides, zones = ({name: next(parts) for name in x} for x in (self.side_choices, self.zone_choices))
        return ClassifierOutput(
            presence,
            sides,
            zones,
            RATIO_CENTRE + RATIO_SCALE * next(parts)[:, 0] if self.predicts_location else None,
        )

    @torch.no_grad()
    def predict(self, images: np.ndarray | Tensor, batch_size: int = 64) -> list[ClassifierReading]:
        """Read each of (N, H, W) or (N, 1, H, W) in [0, 1], of any square size (resampled).

        Raises UserError for another shape or type, and for values that are not finite or lie outside.
        """
        parameter = next(self.parameters())
        pixels = _check_images(images).to(parameter.dtype)
        if not len(pixels):
            return []
        check_brightness(pixels.cpu().numpy())
        was_training = self.training
        self.eval()
        readings: list[ClassifierReading] = []
        for batch in pixels.split(batch_size):
            output = self(batch.to(parameter.device))
            check_finite(output.presence, "the classifier's scores", [self])
            readings += self._read(output)
        self.train(was_training)
        return readings

    def _read(self, output: ClassifierOutput) -> list[ClassifierReading]:
        probabilities = output.presence.sigmoid().tolist()
        sides = {name: logits.argmax(1).tolist() for name, logits in output.sides.items()}
        zones = {name: logits.argmax(1).tolist() for name, logits in output.zones.items()}
        ratios = [None] * len(probabilities) if output.ratio is None else output.ratio.tolist()

        def finding(row: int, column: int, name: str) -> FindingReading:
            side = self.side_choices[name][sides[name][row]] if name in sides else ""
            zone = self.zone_choices[name][zones[name][row]] if name in zones else ""
            return FindingReading(probabilities[row][column], side, zone)

        return [
            ClassifierReading(
                {name: finding(row, column, name) for column, name in enumerate(self.findings)}, ratio
            )
            for row, ratio in enumerate(ratios)
        ]

    def describe(self) -> dict[str, Any]:
        """Return what config.json holds; weights fit every classifier of the same description."""
        return {
            "architecture": ARCHITECTURE,
            "findings": list(self.findings),
            "knows_places": self.predicts_location,
            **asdict(self.config),
        }

    def save_pretrained(self, directory: str | Path) -> None:
        """Write config.json and model.safetensors (half precision: the loaded net computes in float32).

        Raises UserError where the config.json of another program's model would be replaced.
        """
        from safetensors.torch import save_file

        directory = Path(directory)
        if not CONFIG.has(directory / "config.json"):
            raise UserError(
                f"{directory / 'config.json'}: expected {CONFIG.words}, or none, found another's, which "
                "would be lost; choose another folder"
            )
        weights = {
            name: value.half() if value.is_floating_point() else value
            for name, value in self.state_dict().items()
        }
        with replacing(directory / "model.safetensors") as beside:
            save_file({name: value.contiguous() for name, value in weights.items()}, beside)
        with replacing(directory / "config.json") as beside:
            beside.write_text(to_json(self.describe(), indent=2) + "\n")

    @classmethod
    def from_pretrained(cls, directory: str | Path, device: str = "cpu") -> Classifier:
        """Load what `save_pretrained` wrote, in evaluation mode, float32, to a device ("auto": cuda where
        there is a usable GPU).

        Raises UserError for a directory that is another's, lacks a file, or whose two files do not fit.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        directory = Path(directory)
        for name in ("config.json", "model.safetensors"):
            if not (directory / name).is_file():
                raise UserError(f"{directory} is no classifier directory: {name} is missing")
        try:
            config = from_json((directory / "config.json").read_text())
            if not isinstance(config, dict) or config.pop("architecture", None) != ARCHITECTURE:
                raise ValueError(f"architecture {ARCHITECTURE!r} is not named there")
            findings = config.pop("findings")
            predicts_location = config.pop("knows_places", True)  # of the first, which knew phantoms alone
            with torch.device("meta"):  # without memory: a damaged width may ask for any amount of it
                classifier = cls(ClassifierConfig(**config), findings, predicts_location)
        except (ValueError, TypeError, KeyError, ArithmeticError, RuntimeError) as error:
            raise UserError(
                f"{directory / 'config.json'}: expected the description of a classifier, found another's "
                f"({error}); give the directory `classifier` of a run of kind classifier"
            ) from error
        try:
            weights = load_file(directory / "model.safetensors")
            described = classifier.state_dict().values()
            if sum(map(Tensor.numel, weights.values())) != sum(map(Tensor.numel, described)):
                raise RuntimeError("other sizes")
            full = {name: _full(value) for name, value in weights.items()}
            classifier.load_state_dict(full, assign=True)
        except (SafetensorError, RuntimeError) as error:
            words = ", ".join(map(str, findings))
            raise UserError(
                f"{directory}: model.safetensors is not the classifier of {words} that "
                f"config.json describes ({error}); copy the directory again"
            ) from error
        check_weights(classifier, directory / "model.safetensors")
        return classifier.eval().to(choose_device(device))


def _full(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def _check_images(images: np.ndarray | Tensor) -> Tensor:
    """Return (N, H, W) or (N, 1, H, W), H = W, as (N, 1, H, W)."""
    pixels = torch.as_tensor(images) if isinstance(images, np.ndarray | Tensor) else torch.empty(0)
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    if pixels.ndim != 4 or pixels.shape[1] != 1 or pixels.shape[2] != pixels.shape[3] or pixels.is_complex():
        found = f"{images.dtype} {tuple(images.shape)}" if hasattr(images, "shape") else type(images).__name__
        raise UserError(
            f"expected square images (N, H, W) or (N, 1, H, W), found {found}; letterbox with images.fit"
        )
    return pixels


def _resized(images: Tensor, size: int) -> Tensor:
    """Resample (B, 1, H, W), H = W, -> (B, 1, size, size), averaging where it shrinks."""
    if images.ndim != 4 or images.shape[1] != 1:
        raise ValueError(f"expected images (B, 1, H, W), got {tuple(images.shape)}")
    if images.shape[-2] != images.shape[-1]:
        raise ValueError(f"expected square images, got {tuple(images.shape[-2:])}; letterbox with images.fit")
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
