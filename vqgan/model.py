"""The image tokenizer: encoder, quantizer, decoder. Knows no losses and no files.

Legend: B batch, H W pixels, h w latent grid, D codebook_dim, K codebook_size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vqgan import storage
from vqgan.fsq import FSQ
from vqgan.layers import Decoder, Encoder, Stride
from vqgan.shipped import find_directory


@dataclass(frozen=True)
class VQGANConfig:
    """Images of `image_size` px square in cells of `cell_height` x `cell_width` pixels, one code per cell."""

    image_size: int = 128
    cell_height: int = 8  # ribs run across: rows need finer cells than columns
    cell_width: int = 16
    levels: tuple[int, ...] = (8, 5, 5, 5)  # FSQ levels; codebook_size is their product
    patch: int = 4  # side of the square of pixels that the stem folds into channels
    stem_channels: int = 32  # channels at the stem's resolution; they grow geometrically to grid_channels
    grid_channels: int = 96
    level_blocks: int = 1  # residual blocks at each resolution above the grid's
    grid_blocks: int = 2
    num_heads: int = 4
    refine_channels: int = 4  # full-resolution channels before the last convolution

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(self.levels))
        for name in ("cell_height", "cell_width"):
            cell = getattr(self, name)
            if cell < 1 or self.image_size % cell:
                raise ValueError(f"{name} {cell} does not divide image_size {self.image_size}")
            ratio = cell / self.patch
            if ratio < 1 or not math.log2(ratio).is_integer():
                raise ValueError(f"{name} {cell} must be patch {self.patch} times a power of two")
        for name in ("stem_channels", "grid_channels"):
            if getattr(self, name) < 8 or getattr(self, name) % 8:
                raise ValueError(f"{name} must be a multiple of 8, got {getattr(self, name)}")
        for name in ("grid_blocks", "refine_channels", "num_heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of codes."""
        return self.image_size // self.cell_height, self.image_size // self.cell_width

    @property
    def codebook_size(self) -> int:
        return math.prod(self.levels)

    @property
    def strides(self) -> list[Stride]:
        """The steps from the stem's resolution to the grid's, e.g. (2, 2), (1, 2) for cells of 8 x 16 px."""
        rows = int(math.log2(self.cell_height // self.patch))
        columns = int(math.log2(self.cell_width // self.patch))
        return [(2 if step < rows else 1, 2 if step < columns else 1) for step in range(max(rows, columns))]

    @property
    def channels(self) -> list[int]:
        """Channels of each level from stem to grid, multiples of 8."""
        if not self.strides:
            return [self.grid_channels]
        growth = (self.grid_channels / self.stem_channels) ** (1 / len(self.strides))
        return [8 * round(self.stem_channels * growth**level / 8) for level in range(len(self.strides) + 1)]


@dataclass
class VQGANOutput:
    reconstruction: Tensor  # (B, 1, H, W), not clipped, so that gradients reach every pixel
    codes: Tensor  # (B, h, w) int64
    quantizer_loss: Tensor  # scalar


class VQGAN(nn.Module):
    """Built from a config with random weights; `from_pretrained` loads trained ones."""

    def __init__(self, config: VQGANConfig) -> None:
        super().__init__()
        self.config = config
        self.quantizer = FSQ(config.levels)
        shape = dict(
            patch=config.patch,
            channels=config.channels,
            strides=config.strides,
            level_blocks=config.level_blocks,
            grid_blocks=config.grid_blocks,
            grid=config.grid,
            num_heads=config.num_heads,
            codebook_dim=self.quantizer.codebook_dim,
        )
        self.encoder = Encoder(**shape)
        self.decoder = Decoder(**shape, refine_channels=config.refine_channels)

    def forward(self, images: Tensor) -> VQGANOutput:
        self._check_images(images)
        quantizer_output = self.quantizer(self.encoder(images))
        reconstruction = self.decoder(quantizer_output.quantized)
        return VQGANOutput(reconstruction, quantizer_output.codes, quantizer_output.loss)

    def inner_weights(self) -> list[nn.Parameter]:
        """The kernels and matrices between the first and the last layer of the encoder and of the decoder."""
        first_and_last = (
            *(self.encoder.layers[0].parameters()),
            *(self.encoder.layers[-1].parameters()),
            *(self.decoder.layers[0].parameters()),
            *(self.decoder.refine.parameters()),
        )
        outer = {id(parameter) for parameter in first_and_last}
        layers = [module for module in self.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        return [layer.weight for layer in layers if id(layer.weight) not in outer]

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """images (B, 1, H, W) float32 in [0, 1] -> codes (B, h, w) int64 in 0..K-1."""
        self._check_images(images)
        return self.quantizer(self.encoder(images)).codes

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """codes (B, h, w) -> images (B, 1, H, W) float32 clipped to [0, 1]."""
        self._check_codes(codes)
        return self.decoder(self.quantizer.codes_to_quantized(codes)).float().clamp(0, 1)

    def _check_images(self, images: Tensor) -> None:
        size = self.config.image_size
        if images.ndim != 4 or images.shape[1:] != (1, size, size):
            raise ValueError(f"expected images of shape (B, 1, {size}, {size}), got {tuple(images.shape)}")

    def _check_codes(self, codes: Tensor) -> None:
        if codes.ndim != 3 or codes.shape[1:] != self.config.grid:
            rows, columns = self.config.grid
            raise ValueError(f"expected codes of shape (B, {rows}, {columns}), got {tuple(codes.shape)}")
        if codes.numel() and (codes.min() < 0 or codes.max() >= self.config.codebook_size):
            raise ValueError(
                f"codes must be in 0..{self.config.codebook_size - 1}, "
                f"got {int(codes.min())}..{int(codes.max())}"
            )

    @property
    def fingerprint(self) -> str:
        """sha256 over config and weights: what was made with this tokenizer is recognised by it."""
        return storage.fingerprint(self.config, self.state_dict())

    def save_pretrained(self, directory: str | Path) -> None:
        """Write config.json and model.safetensors."""
        storage.write_directory(Path(directory), self.config, self.state_dict())

    @classmethod
    def from_pretrained(cls, directory: str | Path) -> VQGAN:
        """A directory, or the name of a tokenizer that ships with the package (`vqgan.shipped`: "cxr").

        Raises ValueError, naming the file, where one is missing, altered or of another shape.
        """
        directory = find_directory(directory)
        config, weights = storage.read_directory(directory, VQGANConfig)
        model = cls(config)
        storage.load_weights(model, weights, directory)
        return model.eval()
