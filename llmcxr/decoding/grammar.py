"""Decide which tokens may follow: exactly h*w image tokens between boi and eoi, each of its own cell, and
none in text.

The engine obeys this by construction (an image step scores one cell's tokens and nothing else). The same
grammar as a stock `prefix_allowed_tokens_fn` lets plain `transformers.generate` decode an exported model.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from llmcxr.prompts.vocabulary import ImageVocabulary


class ImageGrammar:
    """Gives the range(s) of ids that may come next, decided by what follows the last boi."""

    def __init__(self, vocabulary: ImageVocabulary) -> None:
        self.vocabulary = vocabulary

    def allowed(self, token_ids: Sequence[int]) -> range:
        """Return the ids that may follow: a cell's tokens, eoi alone, or every text token."""
        v = self.vocabulary
        num_written = self._written(token_ids)
        if num_written is None:
            return range(v.image_token_offset)
        if num_written < v.num_cells:
            return range(*v.token_range(num_written))
        return range(v.eoi_id, v.eoi_id + 1)

    def prefix_allowed_tokens(self, batch_id: int, token_ids: Tensor) -> list[int]:
        """Serve `generate(prefix_allowed_tokens_fn=...)`."""
        return list(self.allowed(token_ids.tolist()))

    def _written(self, token_ids: Sequence[int]) -> int | None:
        """Count the image tokens since the boi that is still open; None where no image is open."""
        for count, token_id in enumerate(reversed(token_ids)):
            if token_id == self.vocabulary.boi_id:
                return count
            if token_id < self.vocabulary.image_token_offset:
                return None
        return None
