"""The embedding rows of image words, kept as small tables while training and written out in full for export.

Legend: K codes, N = h*w cells, D width of the language model.

With position the row of code k in cell (i, j) is code[k] + row[i] + column[j]: K + h + w vectors are trained,
N*K rows are exported, and any Hugging Face causal LM loads them as ordinary rows. Small models read and draw
almost nothing without it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llmcxr.prompts.vocabulary import ImageVocabulary


class FactoredImageTable(nn.Module):
    """Rows as sums of a code, a row and a column vector (position known), or code vectors alone."""

    def __init__(self, vocabulary: ImageVocabulary, width: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.code = nn.Parameter(torch.randn(vocabulary.codebook_size, width) * 0.02)
        rows, columns = vocabulary.grid if vocabulary.has_cell_tokens else (0, 0)
        self.row = nn.Parameter(torch.randn(rows, width) * 0.02)
        self.column = nn.Parameter(torch.randn(columns, width) * 0.02)

    def forward(self, words: Tensor, is_masked: Tensor | None = None) -> Tensor:
        """words (...) = token id - image_token_offset -> embeddings (..., D).

        Where `is_masked`, the code is left out: of a word with position only the position is told.
        """
        codes = nn.functional.embedding(words % self.vocabulary.codebook_size, self.code)
        if is_masked is not None:
            codes = codes.masked_fill(is_masked[..., None], 0)
        if not self.vocabulary.has_cell_tokens:
            return codes
        return codes + self._position(words // self.vocabulary.codebook_size)

    def logits(self, hidden: Tensor, cells: Tensor) -> Tensor:
        """hidden (n, D) about to write cells (n,) -> scores of that cell's codes (n, K)."""
        scores = hidden @ self.code.T
        if not self.vocabulary.has_cell_tokens:
            return scores
        return scores + (hidden * self._position(cells)).sum(-1, keepdim=True)

    def full_rows(self) -> Tensor:
        """All rows as ordinary embeddings: (N*K, D) with position, (K, D) without."""
        if not self.vocabulary.has_cell_tokens:
            return self.code
        cells = torch.arange(self.vocabulary.num_cells, device=self.code.device)
        return (self._position(cells)[:, None] + self.code).flatten(0, 1)

    def _position(self, cells: Tensor) -> Tensor:
        columns = self.vocabulary.grid[1]
        return self.row[cells // columns] + self.column[cells % columns]

    @torch.no_grad()
    def initialise(self, codebook: Tensor, generator: torch.Generator) -> None:
        """Neighbouring codes start alike: random Fourier features of the codebook (K, C)."""
        vectors = (codebook - codebook.mean(0)) / codebook.std(0).clamp(min=1e-6)
        width = self.code.shape[1]
        frequencies = torch.randn(vectors.shape[1], width, generator=generator) * 0.7
        phases = torch.rand(width, generator=generator) * 2 * torch.pi
        self.code.copy_(torch.cos(vectors @ frequencies + phases) * 0.02 * 2**0.5)


class FreeImageTable(nn.Module):
    """Every row its own parameter: what a plain Hugging Face directory holds."""

    def __init__(self, vocabulary: ImageVocabulary, rows: Tensor) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.rows = nn.Parameter(rows)

    def forward(self, words: Tensor, is_masked: Tensor | None = None) -> Tensor:
        """As FactoredImageTable; a hidden word's row is zero, since its position cannot be told apart."""
        rows = nn.functional.embedding(words, self.rows)
        return rows if is_masked is None else rows.masked_fill(is_masked[..., None], 0)

    def logits(self, hidden: Tensor, cells: Tensor) -> Tensor:
        """hidden (n, D), cells (n,) -> (n, K). One matrix product per cell."""
        if not self.vocabulary.has_cell_tokens:
            return hidden @ self.rows.T
        scores = hidden.new_empty(len(hidden), self.vocabulary.codebook_size)
        for cell in cells.unique().tolist():
            start, stop = self.vocabulary.token_range(cell)
            offset = self.vocabulary.image_token_offset
            here = cells == cell
            scores[here] = hidden[here] @ self.rows[start - offset : stop - offset].T
        return scores

    def full_rows(self) -> Tensor:
        return self.rows


ImageTable = FactoredImageTable | FreeImageTable
