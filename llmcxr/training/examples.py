"""Turn studies into token sequences: what is asked, what is answered, and which words take a loss. Knows no
model.

Every study is used in both directions. Drawing: the request, then the image. Reading: the image once, then
several turns about it (report, one-line summary, questions), each of which sees the image and itself but no
other turn, exactly as at prediction. Loss falls on responses only (LLM-CXR, sec. 2.2, L_instruct). A share of
requests is dropped, so that the model also learns the image without its text, which guidance needs (Ho &
Salimans 2022).

What a request decides of an image, a side or a zone, is some nats of the hundreds that the image has. So that
it counts, codes already drawn are hidden from some drawings, which then must look at the request; and an
example may carry its `finding_map`, from which the model learns where things are (llmcxr.model.finding_maps).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from llmcxr.data import Texts
from llmcxr.model.unified import IGNORE_INDEX
from llmcxr.prompts import DRAW, REPORT, SUMMARY, PromptTokenizer
from llmcxr.reports import to_text

Turn = tuple[list[int], list[int]]  # prompt, response


@dataclass
class ExampleConfig:
    condition_dropout: float = 0.1  # share of drawings whose request is dropped
    summary_share: float = 0.5  # share of readings with a one-line summary, which best-of-N ranks by
    questions_per_study: int = 3  # at most
    report_as_request: float = 0.2  # share of drawings asked for by the whole report
    hiding_share: float = 0.5  # share of drawings in which some of the codes already drawn are hidden
    reading_share: float = 1.0  # share of studies that are also read
    max_length: int = 512  # longer examples are left out

    def __post_init__(self) -> None:
        for name in (
            "condition_dropout",
            "summary_share",
            "report_as_request",
            "hiding_share",
            "reading_share",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a share between 0 and 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class Example:
    """A prefix that all turns see, and the turns. A prefix may be empty.

    `hidden` are the places of the first turn's response whose code is not shown to what follows.
    `finding_map` (cells, findings) is how much of each cell of its image each finding covers.
    """

    prefix: list[int]
    turns: list[Turn]
    hidden: tuple[int, ...] = ()
    finding_map: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.prefix) + sum(len(prompt) + len(response) for prompt, response in self.turns)


def drawing_example(
    prompt_tokenizer: PromptTokenizer,
    codes: np.ndarray,
    texts: Texts,
    rng: np.random.Generator,
    config: ExampleConfig,
) -> Example:
    """Request -> image with codes (h, w), in some drawings a random share of them hidden from the others."""
    request = (
        to_text(texts.report) if rng.random() < config.report_as_request and texts.report else texts.request
    )
    instruction = _pick(DRAW.instructions, rng)
    if rng.random() < config.condition_dropout:
        request, instruction = "", DRAW.instructions[0]
    hidden: tuple[int, ...] = ()
    if rng.random() < config.hiding_share:
        is_hidden = rng.random(codes.size) < rng.random()
        hidden = tuple(1 + np.flatnonzero(is_hidden))  # behind boi
    return Example(
        [],
        [(prompt_tokenizer.prompt(instruction, text=request), prompt_tokenizer.image(codes))],
        hidden=hidden,
    )


def reading_example(
    prompt_tokenizer: PromptTokenizer,
    codes: np.ndarray,
    texts: Texts,
    rng: np.random.Generator,
    config: ExampleConfig,
) -> Example:
    """Image with codes (h, w) -> report, sometimes its summary, and answers."""
    asked: list[tuple[str, str]] = []
    if texts.report:
        asked.append((_pick(REPORT.instructions, rng), to_text(texts.report)))
    if texts.request and rng.random() < config.summary_share:
        asked.append((_pick(SUMMARY.instructions, rng), texts.request))
    chosen = rng.permutation(len(texts.questions))[: config.questions_per_study]
    asked += [(texts.questions[i].question, texts.questions[i].answer) for i in chosen]
    if prompt_tokenizer.template.image_first:
        turns = [
            (prompt_tokenizer.turn(instruction), prompt_tokenizer.response(answer))
            for instruction, answer in asked
        ]
        return Example(prompt_tokenizer.image_prefix(codes), turns)
    turns = [
        (prompt_tokenizer.prompt(one, codes=codes), prompt_tokenizer.response(answer))
        for one, answer in asked
    ]
    return Example([], turns)


def shorten(example: Example, longest: int) -> Example:
    """Without its last turns, so that at most `longest` words are left; without any where one is too many."""
    turns = list(example.turns)
    while turns and len(replace(example, turns=turns)) > longest:
        turns.pop()
    return replace(example, turns=turns)


def collate(examples: Sequence[Example], first_image_word: int, pad_id: int) -> dict[str, Tensor]:
    """Examples -> input_ids, labels (B, L), attention_mask (B, 1, L, L) bool, position_ids (B, L); where any
    code is hidden is_hidden (B, L) bool; where the first has one finding_map (B, L, findings), at image
    words.

    A turn's positions go on from the prefix, and it may look at the prefix and at itself only, so a turn is
    computed as if it stood alone. Of an image response the codes take a loss; its fences are decided by the
    grammar.
    """
    length = max(len(example) for example in examples)
    input_ids = torch.full((len(examples), length), pad_id)
    labels = torch.full((len(examples), length), IGNORE_INDEX)
    position_ids = torch.zeros(len(examples), length, dtype=torch.long)
    segments = torch.full((len(examples), length), -1)  # 0 the prefix, 1.. the turns, -1 padding
    is_hidden = torch.zeros(len(examples), length, dtype=torch.bool)
    for row, example in enumerate(examples):
        place = len(example.prefix)
        input_ids[row, :place] = torch.tensor(example.prefix)
        position_ids[row, :place] = torch.arange(place)
        segments[row, :place] = 0
        if example.hidden:
            is_hidden[row, place + len(example.turns[0][0]) + torch.tensor(example.hidden)] = True
        for number, (prompt, response) in enumerate(example.turns, start=1):
            stop = place + len(prompt) + len(response)
            input_ids[row, place:stop] = torch.tensor(prompt + response)
            position_ids[row, place:stop] = torch.arange(stop - place) + len(example.prefix)
            segments[row, place:stop] = number
            labels[row, place + len(prompt) : stop] = torch.tensor(_targets(response, first_image_word))
            place = stop
    batch = {
        "input_ids": input_ids,
        "labels": labels,
        "position_ids": position_ids,
        "attention_mask": _may_look(segments),
    }
    if is_hidden.any():
        batch["is_hidden"] = is_hidden
    if examples[0].finding_map is not None:
        batch["finding_map"] = _finding_maps(examples, input_ids >= first_image_word)
    return batch


def _finding_maps(examples: Sequence[Example], is_image: Tensor) -> Tensor:
    """(B, L, findings): at an example's image words, which may be one image several times, its map."""
    maps = torch.zeros(*is_image.shape, examples[0].finding_map.shape[1])
    for row, example in enumerate(examples):
        times = int(is_image[row].sum()) // len(example.finding_map)
        maps[row, is_image[row]] = torch.from_numpy(example.finding_map).float().repeat(times, 1)
    return maps


def _targets(response: list[int], first_image_word: int) -> list[int]:
    has_image = any(word >= first_image_word for word in response)
    return [word if word >= first_image_word or not has_image else IGNORE_INDEX for word in response]


def _may_look(segments: Tensor) -> Tensor:
    """segments (B, L) -> (B, 1, L, L) bool, True where row may look at column; every place may look at
    itself.
    """
    length = segments.shape[1]
    is_before = torch.ones(length, length, dtype=torch.bool).tril()
    is_known = (segments[:, None, :] == segments[:, :, None]) | (segments[:, None, :] == 0)
    return (is_before & is_known)[:, None]


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
