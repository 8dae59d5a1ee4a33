"""Turn studies into token sequences: what is asked, what is answered, and which tokens take a loss. Knows no
model.

Every study is used in both directions. Drawing: the request, then the image. Reading: the image once, then
several turns about it (report, one-line summary, questions), each of which sees the image and itself but no
other turn, exactly as at prediction. Loss falls on responses only (LLM-CXR, sec. 2.2, L_instruct). A share of
requests is dropped, so that the model also learns the image without its text, which guidance needs (Ho &
Salimans 2022).

A side or a zone that a request names decides only some nats of the hundreds that an image has. So that it
counts, codes already drawn are masked in some drawings, which then must look at the request; and an example
may carry its `finding_map`, an auxiliary target (llmcxr.model.finding_maps).

Legend: B batch, L sequence, h w latent grid, N = h*w cells, F findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from llmcxr.data import Texts
from llmcxr.model.unified import IGNORE_INDEX
from llmcxr.prompts import DRAW, REPORT, SUMMARY, PromptTokenizer
from llmcxr.prompts.parts import (
    ImageCodes,
    Prompt,
    find_masked,
    gather_features,
    num_tokens,
    to_token_ids,
)
from llmcxr.prompts.vocabulary import ImageVocabulary
from llmcxr.reports import to_text

Turn = tuple[Prompt, Prompt]  # prompt, response


@dataclass
class ExampleConfig:
    condition_dropout: float = 0.1  # share of drawings whose request is dropped
    summary_share: float = 0.5  # share of readings with a one-line summary, which best-of-N ranks by
    questions_per_study: int = 3  # at most
    report_as_request: float = 0.2  # share of drawings asked for by the whole report
    code_mask_share: float = 0.5  # share of drawings in which some of the codes already drawn are masked
    reading_share: float = 1.0  # share of studies that are also read
    max_length: int = 512  # tokens; turns that make an example longer are left out

    @property
    def uses_texts(self) -> bool:
        return self.reading_share > 0 or self.condition_dropout < 1

    def __post_init__(self) -> None:
        shares = (
            "condition_dropout",
            "summary_share",
            "report_as_request",
            "code_mask_share",
            "reading_share",
        )
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a share between 0 and 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Example:
    """Holds a prefix that all turns see, and the turns. A prefix may be empty.

    finding_map (N, F) says how much of each cell of the example's image each finding covers, in 0..1.
    """

    prefix: Prompt
    turns: list[Turn]
    finding_map: np.ndarray | None = None

    @property
    def parts(self) -> Prompt:
        """Return prefix, prompts and responses in the order in which they are read."""
        return [*self.prefix, *(part for turn in self.turns for side in turn for part in side)]

    def __len__(self) -> int:
        return num_tokens(self.parts)


def drawing_example(
    prompt_tokenizer: PromptTokenizer,
    codes: np.ndarray,
    texts: Texts,
    rng: np.random.Generator,
    config: ExampleConfig,
) -> Example:
    """Make the example request -> image with codes (h, w), in some of which a random share is masked."""
    is_whole = rng.random() < config.report_as_request and texts.report
    request = to_text(texts.report) if is_whole else texts.request
    instruction = _pick(DRAW.instructions, rng)
    if rng.random() < config.condition_dropout:
        request, instruction = "", DRAW.instructions[0]
    is_masked = None
    if rng.random() < config.code_mask_share:
        is_masked = rng.random(codes.shape) < rng.random()  # (h, w)
    image = prompt_tokenizer.image(ImageCodes(codes, is_masked))
    return Example([], [(prompt_tokenizer.prompt(instruction, request), image)])


def reading_example(
    prompt_tokenizer: PromptTokenizer,
    codes: np.ndarray,
    texts: Texts,
    rng: np.random.Generator,
    config: ExampleConfig,
) -> Example:
    """Make the example image with codes (h, w) -> report, sometimes its summary, and answers."""
    asked: list[tuple[str, str]] = []
    if texts.report:
        asked.append((_pick(REPORT.instructions, rng), to_text(texts.report)))
    if texts.request and rng.random() < config.summary_share:
        asked.append((_pick(SUMMARY.instructions, rng), texts.request))
    chosen = rng.permutation(len(texts.questions))[: config.questions_per_study]
    asked += [(texts.questions[i].question, texts.questions[i].answer) for i in chosen]
    image = ImageCodes(codes)
    if prompt_tokenizer.template.image_first:
        prefix = prompt_tokenizer.image_prefix(image)
        prompts = [prompt_tokenizer.turn(instruction) for instruction, _ in asked]
    else:
        prefix = []
        prompts = [prompt_tokenizer.prompt(instruction, image) for instruction, _ in asked]
    responses = [[prompt_tokenizer.response(answer)] for _, answer in asked]
    return Example(prefix, list(zip(prompts, responses, strict=True)))


def shorten(example: Example, longest: int) -> Example:
    """Return the example without its last turns, so that at most `longest` tokens are left; without any turn
    where one is too many.
    """
    turns = list(example.turns)
    while turns and len(replace(example, turns=turns)) > longest:
        turns.pop()
    return replace(example, turns=turns)


def collate(examples: Sequence[Example], vocabulary: ImageVocabulary, pad_id: int) -> dict[str, Tensor]:
    """Collate examples into input_ids, labels (B, L), attention_mask (B, 1, L, L) bool, position_ids (B, L);
    where any code is masked is_masked (B, L) bool; where the first has one finding_map (B, L, F), at image
    tokens.

    A turn's positions continue those of the prefix, and it may look at the prefix and at itself only, so a
    turn is computed as if it stood alone. In an image response only the codes take a loss; the grammar
    decides its fences.
    """
    rows = [_lay_out(example, vocabulary) for example in examples]
    padding = {"input_ids": pad_id, "labels": IGNORE_INDEX, "position_ids": 0, "segments": -1, "is_masked": 0}
    batch = {
        name: pad_sequence([row[name] for row in rows], batch_first=True, padding_value=value)
        for name, value in padding.items()
    }
    batch["attention_mask"] = _may_look(batch.pop("segments"))
    if not batch["is_masked"].any():
        del batch["is_masked"]
    if (features := gather_features(example.parts for example in examples)) is not None:
        batch["features"] = features
    if examples[0].finding_map is not None:
        is_image = batch["input_ids"] >= vocabulary.image_token_offset
        batch["finding_map"] = _finding_maps(examples, is_image)
    return batch


def _lay_out(example: Example, vocabulary: ImageVocabulary) -> dict[str, Tensor]:
    """Lay out the tokens of one example in a row, (L,) each. segments: 0 the prefix, 1.. the turns."""
    prefix = to_token_ids(example.prefix, vocabulary)
    ids, positions = list(prefix), list(range(len(prefix)))
    labels, segments = [IGNORE_INDEX] * len(prefix), [0] * len(prefix)
    for number, (prompt, response) in enumerate(example.turns, start=1):
        asked, answered = to_token_ids(prompt, vocabulary), to_token_ids(response, vocabulary)
        length = len(asked) + len(answered)
        ids += asked + answered
        labels += [IGNORE_INDEX] * len(asked) + _targets(answered, vocabulary)
        positions += range(len(prefix), len(prefix) + length)
        segments += [number] * length
    named = {"input_ids": ids, "labels": labels, "position_ids": positions, "segments": segments}
    is_masked = torch.from_numpy(find_masked(example.parts))
    return {name: torch.tensor(values) for name, values in named.items()} | {"is_masked": is_masked}


def _finding_maps(examples: Sequence[Example], is_image: Tensor) -> Tensor:
    """Return (B, L, F): at an example's image tokens, which may be one image several times, its map."""
    maps = torch.zeros(*is_image.shape, examples[0].finding_map.shape[1])
    for row, example in enumerate(examples):
        times = int(is_image[row].sum()) // len(example.finding_map)
        maps[row, is_image[row]] = torch.from_numpy(example.finding_map).float().repeat(times, 1)
    return maps


def _targets(response: list[int], vocabulary: ImageVocabulary) -> list[int]:
    first = vocabulary.image_token_offset
    has_image = any(token >= first for token in response)
    return [token if token >= first or not has_image else IGNORE_INDEX for token in response]


def _may_look(segments: Tensor) -> Tensor:
    """Turn segments (B, L) into (B, 1, L, L) bool, True where a row's token may look at a column's; every
    token may look at itself.
    """
    length = segments.shape[1]
    is_before = torch.ones(length, length, dtype=torch.bool).tril()  # (L, L)
    is_known = (segments[:, None, :] == segments[:, :, None]) | (segments[:, None, :] == 0)  # (B, L, L)
    return (is_before & is_known)[:, None]


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
