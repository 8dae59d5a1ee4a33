"""Compute LPIPS (Zhang et al. 2018, arXiv 1801.03924): how different two images look to VGG-16.

Gives the numbers of the `lpips` package (version 0.1, net vgg) on the same weights, which come from files
that the user has: no torchvision, no download. Legend: B batch, C channels, H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqgan.errors import UserError
from vqgan.foreign.checkpoints import read_tensors

# VGG-16's convolutions in stages with a pooling between: torchvision's index in `features`, channels in, out.
STAGES = (
    ((0, 3, 64), (2, 64, 64)),
    ((5, 64, 128), (7, 128, 128)),
    ((10, 128, 256), (12, 256, 256), (14, 256, 256)),
    ((17, 256, 512), (19, 512, 512), (21, 512, 512)),
    ((24, 512, 512), (26, 512, 512), (28, 512, 512)),
)
CENTRE, SPREAD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of red, green and blue in [-1, 1]
TINY = 1e-10


class LPIPS(nn.Module):
    """Starts with random weights, with which it measures nothing; `from_weights` loads the published ones."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict(
            {
                str(index): nn.Conv2d(narrow, wide, 3, padding=1)
                for stage in STAGES
                for index, narrow, wide in stage
            }
        )
        self.heads = nn.ParameterList(torch.rand(stage[-1][2]) for stage in STAGES)  # weights of the channels
        self.register_buffer("centre", torch.tensor(CENTRE).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD).reshape(1, 3, 1, 1), persistent=False)

    @classmethod
    def from_weights(cls, vgg: str | Path, heads: str | Path) -> LPIPS:
        """Load the weights: `vgg` is torchvision's VGG-16 state dict (vgg16-397923af.pth), `heads` the linear
        layers that the lpips package carries (lpips/weights/v0.1/vgg.pth). Raises UserError naming the file
        and the weight.
        """
        model, trunk, linear = cls(), read_tensors(vgg), read_tensors(heads)
        with torch.no_grad():
            for index, convolution in model.convolutions.items():
                for name in ("weight", "bias"):
                    _copy(getattr(convolution, name), trunk, f"features.{index}.{name}", vgg)
            for stage, head in enumerate(model.heads):
                _copy(head.view(1, -1, 1, 1), linear, f"lin{stage}.model.1.weight", heads)
        return model.eval().requires_grad_(False)

    def forward(self, reconstruction: Tensor, images: Tensor) -> Tensor:
        """Compare two batches (B, 1 or 3, H, W) in [0, 1]: distances (B,), 0 where they are equal."""
        distances = []
        both = zip(self._features(reconstruction), self._features(images), self.heads, strict=True)
        for ours, theirs, head in both:
            difference = (_unit(ours) - _unit(theirs)).square()
            distances.append(torch.einsum("bchw,c->bhw", difference, head).mean((1, 2)))
        return torch.stack(distances).sum(0)

    def _features(self, images: Tensor) -> Iterator[Tensor]:
        """Return the last maps of each stage (B, C, h, w)."""
        x = (2 * images.expand(-1, 3, -1, -1) - 1 - self.centre) / self.spread
        for number, stage in enumerate(STAGES):
            if number:
                x = F.max_pool2d(x, 2)
            for index, _, _ in stage:
                x = F.relu(self.convolutions[str(index)](x))
            yield x


def _unit(maps: Tensor) -> Tensor:
    """Scale each position's channels to length 1. vector_norm has a gradient also where all are zero."""
    return maps / (torch.linalg.vector_norm(maps, dim=1, keepdim=True) + TINY)


def _copy(target: Tensor, tensors: Mapping[str, Tensor], name: str, file: str | Path) -> None:
    found = tensors.get(name)
    if found is None or found.shape != target.shape:
        shape = "none" if found is None else tuple(found.shape)
        raise UserError(f"{file}: expected a weight {name} of shape {tuple(target.shape)}, found {shape}")
    target.copy_(found)
