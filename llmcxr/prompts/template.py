"""A prompt template turns (instruction, input) into token ids. What a user typed is always encoded as plain
text.

Two forms: `compact`, a few control words, image before instruction, for small models trained from scratch
(several questions then share one image); and `alpaca`, the Dolly/Alpaca form of LLM-CXR (sec. 2.2), for
instruction-tuned models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmcxr.prompts.vocabulary import ImageVocabulary


@dataclass(frozen=True)
class PromptTemplate:
    """Control text around the parts of a prompt; `end` closes a response."""

    name: str
    start: str
    before_instruction: str
    before_input: str
    before_response: str
    end: str
    image_first: bool  # an image stands before the instruction

    @property
    def control_words(self) -> tuple[str, ...]:
        words = (self.start, self.before_instruction, self.before_input, self.before_response, self.end)
        return tuple(dict.fromkeys(word for word in words if word))


COMPACT = PromptTemplate(
    name="compact",
    start="<|start|>",
    before_instruction="<|instruction|>",
    before_input="<|input|>",
    before_response="<|response|>",
    end="<|end|>",
    image_first=True,
)
ALPACA = PromptTemplate(
    name="alpaca",
    start=(
        "Below is an instruction that describes a task. "
        "Write a response that appropriately completes the request.\n\n"
    ),
    before_instruction="### Instruction:\n",
    before_input="\n\nInput:\n",
    before_response="\n\n### Response:\n",
    end="\n\n### End",
    image_first=False,
)
TEMPLATES = {template.name: template for template in (COMPACT, ALPACA)}


class Encoder:
    """Prompts and responses -> token ids, with one tokenizer, one image vocabulary and one template."""

    def __init__(self, tokenizer, vocabulary: ImageVocabulary, template: PromptTemplate) -> None:
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary
        self.template = template
        self._control = {word: self._encode_control(word) for word in template.control_words}
        self._control[""] = []

    @property
    def end_ids(self) -> list[int]:
        return self._control[self.template.end]

    def text(self, text: str) -> list[int]:
        """Plain text only: control and image words typed in it stay text."""
        return self.tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids

    def decode(self, token_ids) -> str:
        return self.tokenizer.decode(token_ids, skip_special_tokens=True).strip()

    def image(self, codes: np.ndarray) -> list[int]:
        """boi, the h*w image words of codes (h, w), eoi."""
        return [self.vocabulary.boi_id, *self.vocabulary.to_token_ids(codes).tolist(), self.vocabulary.eoi_id]

    def image_prefix(self, codes: np.ndarray) -> list[int]:
        """What stands before every instruction about one image (templates with `image_first`)."""
        return self._control[self.template.start] + self.image(codes)

    def turn(self, instruction: str) -> list[int]:
        """An instruction about the image that `image_prefix` gave, up to where the response begins."""
        control = self._control
        template = self.template
        return (
            control[template.before_instruction] + self.text(instruction) + control[template.before_response]
        )

    def prompt(self, instruction: str, text: str | None = None, codes: np.ndarray | None = None) -> list[int]:
        """The whole prompt for an instruction with an input: `text`, or the image with `codes` (h, w), or
        none.
        """
        control, template = self._control, self.template
        if codes is not None and template.image_first:
            return self.image_prefix(codes) + self.turn(instruction)
        ids = control[template.start] + control[template.before_instruction] + self.text(instruction)
        if text is not None:
            ids = ids + control[template.before_input] + self.text(text)
        if codes is not None:
            ids = ids + control[template.before_input] + self.image(codes)
        return ids + control[template.before_response]

    def response(self, text: str) -> list[int]:
        return self.text(text) + self.end_ids

    def _encode_control(self, word: str) -> list[int]:
        return self.tokenizer(word, add_special_tokens=False).input_ids
