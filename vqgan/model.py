"""Define the image tokenizer: encoder, quantizer, decoder. Knows no losses and no files.

Legend: B batch, H W pixels, h w latent grid, D codebook_dim, K codebook_size.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vqgan import storage
from vqgan.config import VQGANConfig
from vqgan.device import choose_device
from vqgan.errors import UserError
from vqgan.files import telling_read_failures
from vqgan.finite import check_finite
from vqgan.foreign.taming.networks import TamingDecoder, TamingEncoder
from vqgan.layers import Decoder, Encoder
from vqgan.quantizers import QUANTIZERS
from vqgan.quantizers.quantizer import Quantizer
from vqgan.shipped import find_directory

TOLERANCE = 1e-3  # of an image's values outside 0..1, by rounding and resampling


@dataclass
class VQGANOutput:
    reconstruction: Tensor  # (B, 1, H, W), not clipped, so that gradients reach every pixel
    codes: Tensor  # (B, h, w) int64
    quantizer_loss: Tensor  # scalar


class VQGAN(nn.Module):
    """Turns images into codes and back. Starts with random weights; `from_pretrained` loads trained ones."""

    def __init__(self, config: VQGANConfig) -> None:
        super().__init__()
        self.config = config
        quantizer_class, _ = QUANTIZERS[config.quantizer]
        self.quantizer: Quantizer = quantizer_class(config.quantizer_settings)
        dim = self.quantizer.codebook_dim
        if config.architecture == "taming":
            self.encoder = TamingEncoder(config.taming, config.image_size, dim)
            self.decoder = TamingDecoder(config.taming, config.image_size, dim)
        else:
            cell = (config.cell_height, config.cell_width)
            self.encoder = Encoder(config.cxr, config.grid, cell, dim)
            self.decoder = Decoder(config.cxr, config.grid, cell, dim)
        # the memory format in which convolutions and group norms are fastest, on a CPU and on a GPU
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> VQGANOutput:
        """Encode and decode images as `encode` takes them; in training mode their values are not checked."""
        self._check_images(images)
        quantizer_output = self.quantizer(self.encoder(images))  # of latents (B, D, h, w)
        reconstruction = self.decoder(quantizer_output.quantized)  # (B, 1, H, W)
        return VQGANOutput(reconstruction, quantizer_output.codes, quantizer_output.loss)

    def inner_weights(self) -> list[nn.Parameter]:
        """Return the kernels and matrices between the first and last layers of encoder and decoder."""
        networks = (self.encoder, self.decoder)
        outer = {layer for network in networks for layer in network.outer_layers}
        return [
            layer.weight
            for network in networks
            for layer in network.modules()
            if isinstance(layer, nn.Conv2d | nn.Linear) and layer not in outer
        ]

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Encode images (B, 1, H, W) float32 in [0, 1] as codes (B, h, w) int64 in 0..K-1.

        Raises UserError for another shape or type, and for values that are not finite or outside [0, 1] by
        more than rounding, as -1..1 and 0..255 are; for a tokenizer of broken weights too.
        """
        self._check_images(images)
        latents = self.encoder(images)  # (B, D, h, w)
        check_finite(latents, "the image tokenizer's latents", [self])
        return self.quantizer(latents).codes

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Decode codes (B, h, w) to images (B, 1, H, W) float32 clipped to [0, 1].

        Raises UserError for another shape or type, and for codes outside 0..K-1.
        """
        self._check_codes(codes)
        images = self.decoder(self.quantizer.codes_to_quantized(codes)).float()  # (B, 1, H, W)
        check_finite(images, "the image tokenizer's pixels", [self])
        return images.clamp(0, 1)

    def _check_images(self, images: Tensor) -> None:
        size = self.config.image_size
        expected = f"images of shape (B, 1, {size}, {size})"
        self._check_tensor(images, expected)
        if images.ndim != 4 or images.shape[1:] != (1, size, size) or not len(images):
            raise UserError(f"expected {expected}, got {tuple(images.shape)}")
        if not images.is_floating_point():
            raise UserError(f"expected {expected} as floats in 0..1, got {images.dtype}; divide by its white")
        dtype = next(self.parameters()).dtype
        if images.dtype != dtype and not torch.is_autocast_enabled(images.device.type):
            raise UserError(f"expected {expected} as {dtype}, got {images.dtype}; convert them")
        if not self.training:  # a training's own images need no look at every step
            self._check_range(*torch.aminmax(images.detach()))

    def _check_range(self, lowest: Tensor, largest: Tensor) -> None:
        """Refuse what is not finite: both are NaN where any value is."""
        low, high = lowest.item(), largest.item()
        if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):
            raise UserError(
                f"images must be finite and must lie in 0..1, got {low:g}..{high:g}; scale them first, "
                "(x + 1) / 2 from -1..1 or x / 255 from bytes"
            )

    def _check_codes(self, codes: Tensor) -> None:
        rows, columns = self.config.grid
        expected = f"codes of shape (B, {rows}, {columns})"
        self._check_tensor(codes, expected)
        if codes.ndim != 3 or codes.shape[1:] != self.config.grid:
            raise UserError(f"expected {expected}, got {tuple(codes.shape)}")
        if codes.is_floating_point() or codes.is_complex() or codes.dtype == torch.bool:
            raise UserError(f"expected {expected} as integers, got {codes.dtype}")
        if codes.numel() and (codes.min() < 0 or codes.max() >= self.config.codebook_size):
            raise UserError(
                f"codes must be in 0..{self.config.codebook_size - 1}, "
                f"got {int(codes.min())}..{int(codes.max())}"
            )

    def _check_tensor(self, values: Tensor, expected: str) -> None:
        if not isinstance(values, Tensor):
            raise UserError(f"expected {expected} as a tensor, got {type(values).__name__}")
        if values.layout != torch.strided:
            raise UserError(f"expected {expected} as a dense tensor, got {values.layout}; call to_dense()")
        device = next(self.parameters()).device
        if values.device != device:
            raise UserError(f"expected {expected} on {device}, where the tokenizer is, got {values.device}")

    @property
    def fingerprint(self) -> str:
        """Return a sha256 over config and weights, by which what this tokenizer made is recognised."""
        return storage.fingerprint(self.config, self.state_dict())

    def save_pretrained(self, directory: str | Path) -> None:
        """Write config.json and model.safetensors."""
        storage.write_directory(Path(directory), self.config, self.state_dict())

    @classmethod
    def from_pretrained(cls, directory: str | Path, device: str = "cpu") -> VQGAN:
        """Load a directory, or by name a tokenizer that ships with the package (`vqgan.shipped`: "cxr"), to a
        device ("auto": cuda where there is a usable GPU).

        Raises UserError, naming the file, where one is missing, altered or of another shape.
        """
        device = choose_device(device)
        with telling_read_failures(directory):
            directory = find_directory(directory)
            config, weights = storage.read_directory(directory)
        try:
            model = cls(config)
        except (TypeError, RuntimeError, ArithmeticError) as error:  # of torch, for settings out of range
            raise UserError(f"{directory}: no network can be built of its config: {error}") from error
        storage.load_weights(model, weights, directory)
        return model.eval().to(device)
