"""Decode tokens with a KV cache. Knows nothing of text, pixels or templates.

Legend: B batch, L prompt, N cells, K codes, V text tokens, D width of the language model. Guidance (Ho &
Salimans 2022, on logits as in Chameleon and LlamaGen) runs the conditional rows, the unconditional ones and
those of negative prompts in one batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import Cache

from llmcxr.decoding.cache import build_cache
from llmcxr.decoding.sampling import RowStreams, sample
from llmcxr.decoding.settings import Sampling
from llmcxr.model.unified import UnifiedModel
from llmcxr.prompts.parts import ImageCodes, Prompt, TokenIds, gather_features, num_tokens, to_token_ids
from vqgan.finite import check_finite


@dataclass(frozen=True)
class ImageGeneration:
    codes: Tensor  # (B, N) raster order
    log_probabilities: Tensor  # (B,) of the codes under the guided, untempered distribution


@dataclass(frozen=True)
class TextGeneration:
    token_ids: list[list[int]]  # without the end
    log_probabilities: Tensor  # (B,)


class _Rows:
    """Prompts that grow by up to `room` tokens, and their KV cache. `last` (B, D) predicts the next token."""

    def __init__(self, model: UnifiedModel, prompts: Sequence[Prompt], room: int) -> None:
        self.model = model
        longest = max(num_tokens(prompt) for prompt in prompts)
        self.cache = build_cache(model.decoder.config, longest + room)
        hidden, _, self.mask = _read(model, prompts, self.cache)
        self.last = hidden[:, -1]

    def step(self, token_ids: Tensor) -> None:
        """Append one token (B,) to every row."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)  # (B, L + 1)
        positions = self.mask.sum(1, keepdim=True) - 1  # (B, 1)
        hidden = self.model.hidden(
            token_ids[:, None], attention_mask=self.mask, position_ids=positions, cache=self.cache
        )
        self.last = hidden[:, -1]


@torch.inference_mode()
def generate_images(
    model: UnifiedModel,
    prompts: Sequence[Prompt],
    seeds: Sequence[int],
    sampling: Sampling,
    guidance: float = 1.0,
    unconditional: Prompt = (),
    negative_scale: float = 0.0,
    negatives: Mapping[int, Prompt] | None = None,
) -> ImageGeneration:
    """Generate one image per prompt: exactly N codes each, and only the codes of the cell at hand are scored.

    guidance 1 is the plain model; other values need `unconditional`, the prompt without its condition.
    `negatives` are negative prompts by row, which negative_scale leads away from:
    logits = without + guidance * (own - without) + negative_scale * (own - negative), the last in log p.
    """
    boi = TokenIds((model.vocabulary.boi_id,))
    num = len(prompts)
    is_guided = guidance != 1.0
    negatives = dict(negatives or {}) if negative_scale else {}
    copies = list(range(num)) * (2 if is_guided else 1) + list(negatives)  # the row whose code each row takes
    all_prompts = [*prompts, *([unconditional] * num if is_guided else []), *negatives.values()]
    rows = _Rows(model, [[*prompt, boi] for prompt in all_prompts], model.vocabulary.num_cells)
    copies = torch.tensor(copies, device=model.device)  # (rows,)
    negative_rows = torch.tensor([*negatives], device=model.device, dtype=torch.long)
    streams = RowStreams(seeds)
    codes, log_probability = [], torch.zeros(num, device=model.device)
    for cell in range(model.vocabulary.num_cells):
        cells = torch.full((len(rows.last),), cell, device=model.device)  # (rows,)
        logits = model.image_logits(rows.last, cells).float()  # (rows, K)
        own, rest = logits[:num], logits[num:]
        logits = own  # (B, K)
        if is_guided:
            without, rest = rest[:num], rest[num:]
            logits = without + guidance * (own - without)
        if negatives:
            away = own[negative_rows].log_softmax(-1) - rest.log_softmax(-1)  # (negatives, K)
            logits = logits.index_add(0, negative_rows, away, alpha=negative_scale)  # (B, K)
        code = sample(logits, sampling, streams)  # (B,)
        log_probability += logits.log_softmax(-1).gather(1, code[:, None])[:, 0]
        codes.append(code)
        if cell + 1 < model.vocabulary.num_cells:
            token = code + model.vocabulary.token_range(cell)[0]
            rows.step(token[copies])
    check_finite(log_probability, "the scores of an image's codes", [model])
    return ImageGeneration(torch.stack(codes, 1), log_probability)


@torch.inference_mode()
def generate_text(
    model: UnifiedModel,
    prompts: Sequence[Prompt],
    seeds: Sequence[int],
    sampling: Sampling,
    end_ids: Sequence[int],
    max_new_tokens: int = 256,
) -> TextGeneration:
    """Generate text after each prompt until `end_ids` (one or several tokens) or max_new_tokens; image tokens
    are not scored.
    """
    rows, streams = _Rows(model, prompts, max_new_tokens), RowStreams(seeds)
    written: list[list[int]] = [[] for _ in prompts]
    is_open = torch.ones(len(prompts), dtype=torch.bool, device=model.device)
    log_probability = torch.zeros(len(prompts), device=model.device)
    for _ in range(max_new_tokens):
        logits = model.text_logits(rows.last).float()  # (B, V)
        token = sample(logits, sampling, streams)  # (B,)
        scores = logits.log_softmax(-1).gather(1, token[:, None])[:, 0]  # (B,)
        log_probability += torch.where(is_open, scores, 0.0)
        for row in is_open.nonzero()[:, 0].tolist():
            written[row].append(int(token[row]))
            if written[row][-len(end_ids) :] == list(end_ids):
                is_open[row] = False
        if not is_open.any():
            break
        rows.step(token)
    check_finite(log_probability, "the scores of a text's tokens", [model])
    return TextGeneration([_without_end(ids, end_ids) for ids in written], log_probability)


@torch.inference_mode()
def score_tokens(
    model: UnifiedModel, prompts: Sequence[Prompt], responses: Sequence[TokenIds]
) -> list[Tensor]:
    """Return log p of each text token of the responses given all before it, (length of the response,) each,
    in one forward pass.
    """
    sequences = [[*prompt, response] for prompt, response in zip(prompts, responses, strict=True)]
    hidden, ids, _ = _read(model, sequences)
    longest = max(len(response) for response in responses)
    logits = model.text_logits(hidden[:, -longest - 1 : -1]).float()  # (B, longest, V)
    log_probabilities = logits.log_softmax(-1)
    tokens = ids[:, -longest:, None].clamp(0, log_probabilities.shape[-1] - 1)  # (B, longest, 1)
    scores = log_probabilities.gather(2, tokens)[..., 0]  # (B, longest)
    check_finite(scores, "the scores of a text's tokens", [model])
    return [row[longest - len(response) :] for row, response in zip(scores, responses, strict=True)]


def score_texts(model: UnifiedModel, prompts: Sequence[Prompt], responses: Sequence[TokenIds]) -> Tensor:
    """Return log p(response | prompt) summed over the response's text tokens, (B,)."""
    return torch.stack([tokens.sum() for tokens in score_tokens(model, prompts, responses)])


@torch.inference_mode()
def score_images(model: UnifiedModel, prompts: Sequence[Prompt], codes: Tensor) -> Tensor:
    """Return log p(codes | prompt) summed over the image's cells, (B,), in one forward pass. codes (B, N)
    raster order.
    """
    vocabulary = model.vocabulary
    boi = TokenIds((vocabulary.boi_id,))
    grids = codes.cpu().numpy().reshape(-1, *vocabulary.grid)  # (B, h, w)
    sequences = [[*prompt, boi, ImageCodes(grid)] for prompt, grid in zip(prompts, grids, strict=True)]
    hidden, _, _ = _read(model, sequences)
    before = hidden[:, -vocabulary.num_cells - 1 : -1].flatten(0, 1)  # (B*N, D)
    cells = torch.arange(vocabulary.num_cells, device=model.device).repeat(len(codes))  # (B*N,)
    log_probabilities = model.image_logits(before, cells).float().log_softmax(-1)  # (B*N, K)
    chosen = codes.to(model.device).reshape(-1, 1).long()  # (B*N, 1)
    scores = log_probabilities.gather(1, chosen).reshape(len(codes), -1).sum(1)  # (B,)
    check_finite(scores, "the scores of an image's codes", [model])
    return scores


def _read(
    model: UnifiedModel, prompts: Sequence[Prompt], cache: Cache | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return hidden states (B, L, D), ids (B, L) and attention mask (B, L) of prompts padded on the left."""
    ids, mask = pad_left([to_token_ids(prompt, model.vocabulary) for prompt in prompts], model.device)
    positions = (mask.cumsum(1) - 1).clamp(min=0)  # (B, L)
    hidden = model.hidden(
        ids, features=gather_features(prompts), attention_mask=mask, position_ids=positions, cache=cache
    )
    return hidden, ids, mask


def pad_left(sequences: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Pad sequences of different lengths to ids (B, L) and attention mask (B, L), ends aligned."""
    length = max(len(sequence) for sequence in sequences)
    ids = torch.zeros(len(sequences), length, dtype=torch.long)
    mask = torch.zeros(len(sequences), length, dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, length - len(sequence) :] = torch.as_tensor(sequence, dtype=torch.long)
        mask[row, length - len(sequence) :] = 1
    return ids.to(device), mask.to(device)


def _without_end(token_ids: list[int], end_ids: Sequence[int]) -> list[int]:
    return token_ids[: -len(end_ids)] if token_ids[-len(end_ids) :] == list(end_ids) else token_ids
