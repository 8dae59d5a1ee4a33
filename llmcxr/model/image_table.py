"""Embed image tokens by tables that stay factored while training and are written out in full for export.

Legend: K codes, N = h*w cells, D width of the language model, n selected tokens.

With position the embedding of code k in cell (i, j) is code[k] + row[i] + column[j]: K + h + w vectors are
trained, N*K embeddings are exported, and any Hugging Face causal LM loads them as ordinary ones. Small models
read and draw almost nothing without it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llmcxr.prompts.vocabulary import ImageVocabulary


class FactoredImageTable(nn.Module):
    """Sums a code, a row and a column vector (position known), or gives code vectors alone."""

    def __init__(self, vocabulary: ImageVocabulary, width: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.code = nn.Parameter(torch.randn(vocabulary.codebook_size, width) * 0.02)
        rows, columns = vocabulary.grid if vocabulary.has_cell_tokens else (0, 0)
        self.row = nn.Parameter(torch.randn(rows, width) * 0.02)
        self.column = nn.Parameter(torch.randn(columns, width) * 0.02)

    def forward(self, tokens: Tensor, is_masked: Tensor | None = None) -> Tensor:
        """Embed image tokens (...), given as token id - image_token_offset, as (..., D).

        Where `is_masked` (...), the code's vector is left out, so that only the position is left, if any.
        """
        codes = nn.functional.embedding(tokens % self.vocabulary.codebook_size, self.code)  # (..., D)
        if is_masked is not None:
            codes = codes.masked_fill(is_masked[..., None], 0)
        if not self.vocabulary.has_cell_tokens:
            return codes
        return codes + self._position(tokens // self.vocabulary.codebook_size)

    def logits(self, hidden: Tensor, cells: Tensor) -> Tensor:
        """Score codes: hidden (n, D), each predicting one of cells (n,) -> that cell's codes (n, K)."""
        scores = hidden @ self.code.T  # (n, K)
        if not self.vocabulary.has_cell_tokens:
            return scores
        return scores + (hidden * self._position(cells)).sum(-1, keepdim=True)

    def all_embeddings(self) -> Tensor:
        """Return the embedding of every image token: (N*K, D) with position, (K, D) without."""
        if not self.vocabulary.has_cell_tokens:
            return self.code
        cells = torch.arange(self.vocabulary.num_cells, device=self.code.device)  # (N,)
        return (self._position(cells)[:, None] + self.code).flatten(0, 1)  # (N*K, D)

    def _position(self, cells: Tensor) -> Tensor:
        columns = self.vocabulary.grid[1]
        return self.row[cells // columns] + self.column[cells % columns]  # (..., D)

    @torch.no_grad()
    def initialise(self, codebook: Tensor, generator: torch.Generator) -> None:
        """Give codes that are near in the codebook (K, C) similar vectors: random Fourier features of it."""
        vectors = (codebook - codebook.mean(0)) / codebook.std(0).clamp(min=1e-6)  # (K, C)
        width = self.code.shape[1]
        frequencies = torch.randn(vectors.shape[1], width, generator=generator) * 0.7  # (C, D)
        phases = torch.rand(width, generator=generator) * 2 * torch.pi
        self.code.copy_(torch.cos(vectors @ frequencies + phases) * 0.02 * 2**0.5)


class FreeImageTable(nn.Module):
    """Holds every embedding as a parameter of its own, as in a plain Hugging Face directory."""

    def __init__(self, vocabulary: ImageVocabulary, embeddings: Tensor) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.embeddings = nn.Parameter(embeddings)  # (N*K, D) with position, (K, D) without

    def forward(self, tokens: Tensor, is_masked: Tensor | None = None) -> Tensor:
        """Embed as FactoredImageTable does; a masked embedding is zero: its position is not apart."""
        embeddings = nn.functional.embedding(tokens, self.embeddings)  # (..., D)
        return embeddings if is_masked is None else embeddings.masked_fill(is_masked[..., None], 0)

    def logits(self, hidden: Tensor, cells: Tensor) -> Tensor:
        """Score as FactoredImageTable.logits does, by one matrix product per cell."""
        if not self.vocabulary.has_cell_tokens:
            return hidden @ self.embeddings.T
        scores = hidden.new_empty(len(hidden), self.vocabulary.codebook_size)  # (n, K)
        for cell in cells.unique().tolist():
            start, stop = self.vocabulary.token_range(cell)
            offset = self.vocabulary.image_token_offset
            here = cells == cell  # (n,) bool
            scores[here] = hidden[here] @ self.embeddings[start - offset : stop - offset].T
        return scores

    def all_embeddings(self) -> Tensor:
        """Return the embedding of every image token, as it is."""
        return self.embeddings


ImageTable = FactoredImageTable | FreeImageTable
