"""Decode token ids with a KV cache. Knows nothing of text, pixels or prompts.

Legend: B batch, L prompt, N cells, K codes. Guidance (Ho & Salimans 2022, on logits as in Chameleon and
LlamaGen) runs the conditional and the unconditional rows, and those of opposite prompts, in one batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from llmcxr.decoding.sampling import RowStreams, sample
from llmcxr.decoding.settings import Sampling
from llmcxr.model.unified import UnifiedModel


@dataclass(frozen=True)
class ImageGeneration:
    codes: Tensor  # (B, N) raster order
    log_probabilities: Tensor  # (B,) of the codes under the guided, untempered distribution


@dataclass(frozen=True)
class TextGeneration:
    token_ids: list[list[int]]  # without the end
    log_probabilities: Tensor  # (B,)


class _Rows:
    """Rows of prompts, padded on the left, and their KV cache."""

    def __init__(self, model: UnifiedModel, prompts: Sequence[Sequence[int]]) -> None:
        self.model = model
        self.cache = DynamicCache(config=model.decoder.config)
        ids, self.mask = pad_left(prompts, model.device)
        self.last = self._forward(ids, (self.mask.cumsum(1) - 1).clamp(min=0))

    def step(self, token_ids: Tensor) -> None:
        """Append one word (B,) to every row; `last` becomes the hidden state after it."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        self.last = self._forward(token_ids[:, None], self.mask.sum(1, keepdim=True) - 1)

    def _forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        hidden = self.model.hidden(ids, attention_mask=self.mask, position_ids=positions, cache=self.cache)
        return hidden[:, -1]


@torch.inference_mode()
def generate_images(
    model: UnifiedModel,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    sampling: Sampling,
    guidance: float = 1.0,
    unconditional: Sequence[int] = (),
    opposition: float = 0.0,
    opposites: Mapping[int, Sequence[int]] | None = None,
) -> ImageGeneration:
    """Write one image per prompt: exactly N codes each, only the rows of the cell at hand are scored.

    guidance 1 is the plain model; other values need `unconditional`, the prompt without its condition.
    opposition leads away from `opposites`, prompts by the row that they are the opposite of:
    logits = without + guidance * (own - without) + opposition * (own - opposite), the last in log p.
    """
    boi = [model.vocabulary.boi_id]
    num = len(prompts)
    is_guided = guidance != 1.0
    opposed = dict(opposites or {}) if opposition else {}
    copies = list(range(num)) * (2 if is_guided else 1) + list(opposed)  # the row whose code each row takes
    all_prompts = [*prompts, *([unconditional] * num if is_guided else []), *opposed.values()]
    rows = _Rows(model, [[*prompt, *boi] for prompt in all_prompts])
    copies = torch.tensor(copies, device=model.device)
    opposed_rows = torch.tensor([*opposed], device=model.device, dtype=torch.long)
    streams = RowStreams(seeds)
    codes, log_probability = [], torch.zeros(len(prompts), device=model.device)
    for cell in range(model.vocabulary.num_cells):
        logits = model.image_logits(
            rows.last, torch.full((len(rows.last),), cell, device=model.device)
        ).float()
        own, rest = logits[:num], logits[num:]
        logits = own
        if is_guided:
            without, rest = rest[:num], rest[num:]
            logits = without + guidance * (own - without)
        if opposed:
            away = own[opposed_rows].log_softmax(-1) - rest.log_softmax(-1)
            logits = logits.index_add(0, opposed_rows, away, alpha=opposition)
        code = sample(logits, sampling, streams)
        log_probability += logits.log_softmax(-1).gather(1, code[:, None])[:, 0]
        codes.append(code)
        if cell + 1 < model.vocabulary.num_cells:
            word = code + model.vocabulary.word_range(cell)[0]
            rows.step(word[copies])
    return ImageGeneration(torch.stack(codes, 1), log_probability)


@torch.inference_mode()
def generate_text(
    model: UnifiedModel,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    sampling: Sampling,
    end_ids: Sequence[int],
    max_new_tokens: int = 256,
) -> TextGeneration:
    """Write text after each prompt until `end_ids` (one or several words) or max_new_tokens; image rows are
    not scored.
    """
    rows, streams = _Rows(model, prompts), RowStreams(seeds)
    written: list[list[int]] = [[] for _ in prompts]
    is_open = torch.ones(len(prompts), dtype=torch.bool, device=model.device)
    log_probability = torch.zeros(len(prompts), device=model.device)
    for _ in range(max_new_tokens):
        logits = model.text_logits(rows.last).float()
        word = sample(logits, sampling, streams)
        log_probability += logits.log_softmax(-1).gather(1, word[:, None])[:, 0] * is_open
        for row in is_open.nonzero()[:, 0].tolist():
            written[row].append(int(word[row]))
            if written[row][-len(end_ids) :] == list(end_ids):
                is_open[row] = False
        if not is_open.any():
            break
        rows.step(word)
    return TextGeneration([_without_end(ids, end_ids) for ids in written], log_probability)


@torch.inference_mode()
def score_words(
    model: UnifiedModel, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]]
) -> list[Tensor]:
    """log p of each text word of the responses given all before it, (length of the response,) each, in one
    forward pass.
    """
    sequences = [[*prompt, *response] for prompt, response in zip(prompts, responses, strict=True)]
    ids, mask = pad_left(sequences, model.device)
    hidden = model.hidden(ids, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0))
    longest = max(len(response) for response in responses)
    log_probabilities = model.text_logits(hidden[:, -longest - 1 : -1]).float().log_softmax(-1)
    words = ids[:, -longest:, None].clamp(max=log_probabilities.shape[-1] - 1)
    scores = log_probabilities.gather(2, words)[..., 0]
    return [row[longest - len(response) :] for row, response in zip(scores, responses, strict=True)]


def score_texts(
    model: UnifiedModel, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]]
) -> Tensor:
    """log p(response | prompt) summed over the response's text words, (B,)."""
    return torch.stack([words.sum() for words in score_words(model, prompts, responses)])


@torch.inference_mode()
def score_images(model: UnifiedModel, prompts: Sequence[Sequence[int]], codes: Tensor) -> Tensor:
    """log p(codes | prompt) summed over the image's cells, (B,), in one forward pass. codes (B, N) raster
    order.
    """
    vocabulary = model.vocabulary
    words = vocabulary.to_token_ids(codes.cpu().numpy().reshape(len(codes), *vocabulary.grid))
    words = words.reshape(len(codes), -1)
    sequences = [
        [*prompt, vocabulary.boi_id, *row] for prompt, row in zip(prompts, words.tolist(), strict=True)
    ]
    ids, mask = pad_left(sequences, model.device)
    hidden = model.hidden(ids, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0))
    before = hidden[:, -vocabulary.num_cells - 1 : -1].flatten(0, 1)
    cells = torch.arange(vocabulary.num_cells, device=model.device).repeat(len(codes))
    log_probabilities = model.image_logits(before, cells).float().log_softmax(-1)
    chosen = codes.to(model.device).reshape(-1, 1).long()
    return log_probabilities.gather(1, chosen).reshape(len(codes), -1).sum(1)


def pad_left(sequences: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Sequences of different lengths -> ids (B, L) and attention mask (B, L), ends aligned."""
    length = max(len(sequence) for sequence in sequences)
    ids = torch.zeros(len(sequences), length, dtype=torch.long)
    mask = torch.zeros(len(sequences), length, dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, length - len(sequence) :] = torch.as_tensor(sequence, dtype=torch.long)
        mask[row, length - len(sequence) :] = 1
    return ids.to(device), mask.to(device)


def _without_end(token_ids: list[int], end_ids: Sequence[int]) -> list[int]:
    return token_ids[: -len(end_ids)] if token_ids[-len(end_ids) :] == list(end_ids) else token_ids
