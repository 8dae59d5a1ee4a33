"""Keep the parts of a prompt apart until the model embeds them: text, images as codes, images as features. A
new kind of part is added here and in `UnifiedModel.embed`.

Legend: L prompt in tokens, h w latent grid, n features of an image, D width of the language model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from llmcxr.prompts.vocabulary import ImageVocabulary

FEATURE_ID = -1  # stands in the token ids where the model reads a feature


@dataclass(frozen=True)
class TokenIds:
    """Holds text or control tokens."""

    ids: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class ImageCodes:
    """Holds the codes (h, w) of one image. Where `is_masked` (h, w) the model reads the position alone."""

    codes: np.ndarray
    is_masked: np.ndarray | None = None

    def __len__(self) -> int:
        return self.codes.size


@dataclass(frozen=True, eq=False)
class ImageFeatures:
    """Holds continuous features (n, D) of one image, each read in the place of one token."""

    features: Tensor

    def __len__(self) -> int:
        return len(self.features)


Image = ImageCodes | ImageFeatures
Prompt = Sequence[TokenIds | Image]


def num_tokens(prompt: Prompt) -> int:
    """Return how many tokens the model reads, L."""
    return sum(len(part) for part in prompt)


def to_token_ids(prompt: Prompt, vocabulary: ImageVocabulary) -> list[int]:
    """Return the id of every token (L,), FEATURE_ID where a feature stands."""
    ids: list[int] = []
    for part in prompt:
        if isinstance(part, TokenIds):
            ids += part.ids
        elif isinstance(part, ImageCodes):
            ids += vocabulary.to_token_ids(part.codes).tolist()  # (h, w) -> (h*w,)
        else:
            ids += [FEATURE_ID] * len(part)
    return ids


def find_masked(prompt: Prompt) -> np.ndarray:
    """Tell which tokens are masked codes, (L,) bool."""
    masks = [
        part.is_masked.reshape(-1)
        if isinstance(part, ImageCodes) and part.is_masked is not None
        else np.zeros(len(part), dtype=bool)
        for part in prompt
    ]
    return np.concatenate([np.zeros(0, dtype=bool), *masks])


def gather_features(prompts: Iterable[Prompt]) -> Tensor | None:
    """Gather all prompts' features in the order of their tokens, (sum of n, D); None where there are none."""
    found = [part.features for prompt in prompts for part in prompt if isinstance(part, ImageFeatures)]
    return torch.cat(found) if found else None
