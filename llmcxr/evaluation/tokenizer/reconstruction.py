"""Encode and decode the images of a dataset, batch by batch. Knows no scores.

B images, H = W the tokenizer's image size, h w latent grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from llmcxr.common.device import images_at_once
from llmcxr.common.errors import UserError
from llmcxr.data import Dataset, Rejections
from llmcxr.data.read_ahead import read_ahead


@dataclass(frozen=True)
class Batch:
    indices: list[int]  # of the studies
    images: np.ndarray  # (B, H, W) float32 in [0, 1]
    reconstructions: np.ndarray  # (B, H, W) float32 in [0, 1]
    codes: np.ndarray  # (B, h, w)


def reconstruct(
    tokenizer: Any,
    dataset: Dataset,
    indices: Sequence[int],
    batch_size: int = 16,
    rejections: Rejections | None = None,
) -> Iterator[Batch]:
    """Yield the studies of `indices` with their reconstructions, in order, few in memory at a time.

    `tokenizer` has `parameters`, `encode`, `decode` and `config.image_size` as `vqgan.VQGAN`. A bad image is
    added to `rejections` and left out; without `rejections` its UserError is raised.
    """
    waiting: list[tuple[int, np.ndarray]] = []
    for index, image in zip(indices, _read(tokenizer, dataset, indices, 2 * batch_size), strict=True):
        if isinstance(image, UserError):
            if rejections is None:
                raise image
            rejections.add(f"study {index}", str(image))
            continue
        waiting.append((index, image))
        if len(waiting) == batch_size:
            yield _reconstruct(tokenizer, waiting)
            waiting = []
    if waiting:
        yield _reconstruct(tokenizer, waiting)


def _read(
    tokenizer: Any, dataset: Dataset, indices: Sequence[int], ahead: int
) -> Iterator[np.ndarray | UserError]:
    size = tokenizer.config.image_size

    def read(index: int) -> np.ndarray | UserError:
        try:
            return dataset.read(index, size)
        except UserError as error:
            return error

    return read_ahead(read, indices, ahead=ahead)


@torch.no_grad()
def _reconstruct(tokenizer: Any, items: Sequence[tuple[int, np.ndarray]]) -> Batch:
    images = np.stack([image for _, image in items])
    device = next(tokenizer.parameters()).device
    codes, decoded = [], []
    for part in torch.from_numpy(images)[:, None].split(images_at_once(images.shape[-1], device.type)):
        codes.append(tokenizer.encode(part.to(device)))
        decoded.append(tokenizer.decode(codes[-1])[:, 0].cpu())
    return Batch(
        [index for index, _ in items], images, torch.cat(decoded).numpy(), torch.cat(codes).cpu().numpy()
    )
