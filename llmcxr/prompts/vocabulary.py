"""Map image codes to tokens of a language model, and add these to its text tokenizer. Knows no model and no
prompt.

An image token is an ordinary entry of the vocabulary, `<|image:0017|>` for code 17 or, where a token says its
cell too, `<|image:003:0017|>` for code 17 in cell 3 (cells in raster order). Image tokens stand behind every
text token, so an id at or above `image_token_offset` is an image token (LLM-CXR, sec. 2.2: id = code + number
of text tokens). They are entries of the vocabulary that no merge produces, not "added tokens": typing
`<|image:0017|>` into a prompt gives plain text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from llmcxr.common.errors import UserError

BOI, EOI = "<|boi|>", "<|eoi|>"


@dataclass(frozen=True)
class ImageVocabulary:
    """Maps codes (h, w) of one image <-> h*w token ids, in raster order."""

    grid: tuple[int, int]  # rows, columns of the latent grid
    codebook_size: int
    image_token_offset: int  # id of the first image token
    boi_id: int
    eoi_id: int
    has_cell_tokens: bool = True  # one token per cell and code; otherwise one token per code

    def __post_init__(self) -> None:
        numbers = (*self.grid, self.codebook_size, self.image_token_offset, self.boi_id, self.eoi_id)
        if len(self.grid) != 2 or not all(isinstance(number, Integral) and number >= 0 for number in numbers):
            raise ValueError("expected whole numbers from 0, two of them for the grid, found others")

    @property
    def num_cells(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def num_image_tokens(self) -> int:
        return self.codebook_size * (self.num_cells if self.has_cell_tokens else 1)

    @property
    def size(self) -> int:
        """Count the tokens of the whole vocabulary, text and image."""
        return self.image_token_offset + self.num_image_tokens

    def token_range(self, cell: int) -> tuple[int, int]:
        """Return the first and one-past-last id that may stand in a cell."""
        if not 0 <= cell < self.num_cells:
            raise ValueError(f"cell must be in 0..{self.num_cells - 1}, got {cell}")
        start = self.image_token_offset + (cell * self.codebook_size if self.has_cell_tokens else 0)
        return start, start + self.codebook_size

    def to_token_ids(self, codes: np.ndarray) -> np.ndarray:
        """Turn codes (..., h, w) into token ids (..., h*w). Raises ValueError on another grid or a code
        outside the codebook.
        """
        codes = np.asarray(codes)
        if codes.shape[-2:] != self.grid:
            raise ValueError(f"expected codes on a {self.grid} grid, got shape {codes.shape}")
        if codes.size and (codes.min() < 0 or codes.max() >= self.codebook_size):
            raise ValueError(
                f"codes must be in 0..{self.codebook_size - 1}, got {codes.min()}..{codes.max()}"
            )
        flat = codes.reshape(*codes.shape[:-2], self.num_cells).astype(np.int64)
        return flat + self.image_token_offset + self._cell_offsets()

    def to_codes(self, token_ids: np.ndarray) -> np.ndarray:
        """Turn token ids (..., h*w) into codes (..., h, w). Raises ValueError for a token of another cell."""
        token_ids = np.asarray(token_ids)
        if token_ids.shape[-1] != self.num_cells:
            raise ValueError(
                f"expected {self.num_cells} image tokens for a {self.grid} grid, got {token_ids.shape[-1]}"
            )
        codes = token_ids - self.image_token_offset - self._cell_offsets()
        if codes.size and (codes.min() < 0 or codes.max() >= self.codebook_size):
            raise ValueError("an id is not an image token of the cell it stands in")
        return codes.reshape(*token_ids.shape[:-1], *self.grid)

    def tokens(self) -> Iterator[str]:
        """List how each image token is spelled, in the order of the ids."""
        if not self.has_cell_tokens:
            yield from (f"<|image:{code:04d}|>" for code in range(self.codebook_size))
            return
        for cell in range(self.num_cells):
            yield from (f"<|image:{cell:03d}:{code:04d}|>" for code in range(self.codebook_size))

    def _cell_offsets(self) -> np.ndarray:
        cells = np.arange(self.num_cells)
        return cells * self.codebook_size if self.has_cell_tokens else np.zeros_like(cells)


def train_text_tokenizer(
    texts: Iterable[str], vocabulary_size: int, control_words: Iterable[str], end_word: str
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE on `texts`, digits one by one so that a ratio is spelled; any text can be
    encoded.

    control_words: control texts of the prompt template, single tokens; `end_word` is one of them and becomes
    eos and padding.
    """
    control_words = list(control_words)
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[*control_words, BOI, EOI],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=end_word, pad_token=end_word)


def add_image_tokens(
    tokenizer: PreTrainedTokenizerFast, grid: tuple[int, int], codebook_size: int, has_cell_tokens: bool
) -> tuple[PreTrainedTokenizerFast, ImageVocabulary]:
    """Return a copy of any fast Hugging Face tokenizer with boi, eoi and the image tokens, and the vocabulary
    that maps to them.

    Raises UserError where the tokenizer's model has no token table to extend (Unigram).
    """
    description = json.loads(tokenizer.backend_tokenizer.to_str())
    table = description["model"].get("vocab")
    if not isinstance(table, dict):
        kind = description["model"].get("type")
        raise UserError(
            f"the text tokenizer is a {kind} model; image tokens can be added to BPE or WordPiece models"
        )
    for added in description["added_tokens"]:  # in the table too, so that their ids stay when the table grows
        table[added["content"]] = added["id"]
    next_id = max(table.values()) + 1
    for token in (BOI, EOI):
        if token not in table:
            table[token] = next_id
            description["added_tokens"].append(_special(token, next_id))
            next_id += 1
    vocabulary = ImageVocabulary(grid, codebook_size, next_id, table[BOI], table[EOI], has_cell_tokens)
    table.update((token, next_id + i) for i, token in enumerate(vocabulary.tokens()))
    extended = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(description)),
        eos_token=tokenizer.eos_token,
        pad_token=tokenizer.pad_token or tokenizer.eos_token,
        bos_token=tokenizer.bos_token,
        unk_token=tokenizer.unk_token,
    )
    return extended, vocabulary


def _special(token: str, token_id: int) -> dict:
    return {
        "id": token_id,
        "content": token,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
