"""Convolve 3 x 3 by Winograd's minimal filtering F(2 x 2, 3 x 3) (Lavin and Gray 2016, arXiv 1509.09308).

Each 2 x 2 square of the output takes 16 products per pair of channels in place of 36, as accurate in float32
as the direct way. On a CPU that pays where channels are many and pixels few: elsewhere moving the tiles costs
more than the products that are spared. For encoding only, without gradients. Legend: B batch, C O channels in
and out, H W pixels, T tiles.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST_CHANNELS = 256
LEAST_PIXELS = 512  # of the whole batch, over which transforming the kernel is spread
TILES = 512  # at a time, so that they stay in the cache

# For one dimension; the Kronecker product applies each to rows and columns at once.
INPUT = torch.tensor([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
KERNEL = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
OUTPUT = torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]])
INPUT_2D, KERNEL_2D, OUTPUT_2D = (torch.kron(matrix, matrix) for matrix in (INPUT, KERNEL, OUTPUT))


def pays(x: Tensor, conv: nn.Conv2d) -> bool:
    """Tell whether `convolve` can and should stand in for `conv`, 3 x 3 with stride 1 and padding 1."""
    batch, channels, height, width = x.shape
    is_possible = not torch.is_grad_enabled() and x.dtype == torch.float32 and not (height % 2 or width % 2)
    is_many = min(channels, conv.out_channels) >= LEAST_CHANNELS and batch * height * width >= LEAST_PIXELS
    return is_possible and is_many and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


def convolve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Do `F.conv2d(x, weight, bias, padding=1)` with x (B, C, H, W), H and W even, channels last."""
    kernel = KERNEL_2D @ weight.permute(0, 2, 3, 1).flatten(1, 2)  # (O, 16, C)
    kernel = kernel.permute(1, 2, 0)  # (16, C, O)
    pixels = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))  # (B, H + 2, W + 2, C)
    batch, _, height, width = x.shape
    output = x.new_empty(batch, height, width, len(weight))
    rows = max(1, min(height // 2, TILES // (width // 2)))  # of tiles at a time
    images = max(1, TILES // (rows * width // 2))
    for first in range(0, batch, images):
        for row in range(0, height, 2 * rows):
            tile = pixels[first : first + images, row : row + 2 * rows + 2]
            target = output[first : first + images, row : row + 2 * rows]
            _convolve_tile(tile, kernel, bias, target)
    return output.permute(0, 3, 1, 2)


def _convolve_tile(pixels: Tensor, kernel: Tensor, bias: Tensor, output: Tensor) -> None:
    """Convolve pixels (B, H + 2, W + 2, C) into output (B, H, W, O)."""
    batch, height, width, channels_out = output.shape
    down, across = height // 2, width // 2
    tiles = pixels.unfold(1, 4, 2).unfold(2, 4, 2)  # (B, down, across, C, 4, 4)
    tiles = tiles.permute(4, 5, 0, 1, 2, 3).reshape(16, -1)
    tiles = (INPUT_2D @ tiles).view(16, -1, pixels.shape[-1])  # (16, T, C)
    products = torch.bmm(tiles, kernel).view(16, -1)  # (16, T * O)
    squares = (OUTPUT_2D @ products).view(2, 2, batch, down, across, channels_out)
    target = output.view(batch, down, 2, across, 2, channels_out).permute(2, 4, 0, 1, 3, 5)
    torch.add(squares, bias, out=target)
