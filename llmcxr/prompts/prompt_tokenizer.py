"""Turn prompts and responses into token ids, and ids into text. What a user typed is always plain text."""

from __future__ import annotations

import numpy as np

from llmcxr.prompts.template import PromptTemplate
from llmcxr.prompts.vocabulary import ImageVocabulary


class PromptTokenizer:
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
