"""Compute the features of a torchxrayvision DenseNet-121 (Cohen et al. 2022), whose weights the user has as a
file.

The network alone, under torchxrayvision's names, without that package and the torchvision it needs; with the
scale of grey levels that its weights were trained on. Legend: B batch, C channels, H W pixels.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqgan.errors import UserError
from vqgan.foreign.checkpoints import read_tensors

SIZE = 224  # px
RANGE = 1024  # grey levels go from -1024 to 1024
GROWTH = 32
BOTTLENECK = 4 * GROWTH
BLOCKS = (6, 12, 24, 16)
DIMENSION = 1024


class DenseNetFeatures(nn.Module):
    """Starts with random weights; `from_weights` loads trained ones."""

    def __init__(self) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False),
            norm0=nn.BatchNorm2d(64),
            relu0=nn.ReLU(),
            pool0=nn.MaxPool2d(3, stride=2, padding=1),
        )
        channels = 64
        for number, count in enumerate(BLOCKS, 1):
            layers[f"denseblock{number}"] = nn.Sequential(
                OrderedDict(
                    (f"denselayer{index + 1}", _DenseLayer(channels + GROWTH * index))
                    for index in range(count)
                )
            )
            channels += GROWTH * count
            if number < len(BLOCKS):
                layers[f"transition{number}"] = _transition(channels)
                channels //= 2
        layers["norm5"] = nn.BatchNorm2d(channels)
        self.layers = nn.Sequential(layers)

    @classmethod
    def from_weights(cls, file: str | Path) -> DenseNetFeatures:
        """Load a state dict or the whole pickled model as torchxrayvision publishes it; nothing in it is run.

        Raises UserError naming the file and the first weight that is missing or of another shape.
        """
        found = read_tensors(file)
        model = cls()
        weights = {}
        for name, expected in model.layers.state_dict().items():
            if name.endswith("num_batches_tracked"):  # of training; files of old torch have none
                weights[name] = expected
                continue
            weight = found.get(f"features.{name}")
            if weight is None or weight.shape != expected.shape:
                shape = "none" if weight is None else tuple(weight.shape)
                raise UserError(
                    f"{file}: expected the weights of a torchxrayvision DenseNet-121 with features.{name} of "
                    f"shape {tuple(expected.shape)}, found {shape}"
                )
            weights[name] = weight
        model.layers.load_state_dict(weights)
        return model.eval().requires_grad_(False)

    def features(self, images: Tensor) -> list[Tensor]:
        """Turn images (B, 1, H, W) in [0, 1], bright = dense, into one map (B, 1024, 7, 7)."""
        if images.shape[-2:] != (SIZE, SIZE):
            images = F.interpolate(images, (SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)
        return [F.relu(self.layers(RANGE * (2 * images - 1)))]

    def embed(self, images: Tensor) -> Tensor:
        """Embed images (B, 1, H, W) in [0, 1] as (B, 1024), torchxrayvision's `features2`."""
        return self.features(images)[0].mean((2, 3))


class _DenseLayer(nn.Module):
    """Adds GROWTH channels to those that came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, BOTTLENECK, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(BOTTLENECK)
        self.conv2 = nn.Conv2d(BOTTLENECK, GROWTH, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        new = self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))
        return torch.cat([x, new], 1)


def _transition(channels: int) -> nn.Sequential:
    """Halve the channels and the resolution."""
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(channels),
            relu=nn.ReLU(),
            conv=nn.Conv2d(channels, channels // 2, 1, bias=False),
            pool=nn.AvgPool2d(2),
        )
    )
