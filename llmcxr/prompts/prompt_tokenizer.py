"""Turn instructions, texts and images into prompts of parts, and token ids into text. What a user typed is
always plain text.
"""

from __future__ import annotations

from llmcxr.prompts.parts import Image, Prompt, TokenIds
from llmcxr.prompts.plain_text import PlainText
from llmcxr.prompts.template import PromptTemplate
from llmcxr.prompts.vocabulary import ImageVocabulary


class PromptTokenizer:
    """Turns prompts and responses into token ids, by a text tokenizer, an image vocabulary, a template."""

    def __init__(self, tokenizer, vocabulary: ImageVocabulary, template: PromptTemplate) -> None:
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary
        self.template = template
        self._control = {text: [TokenIds(self._encode_control(text))] for text in template.control_words}
        self._control[""] = []
        self.end_ids = list(self._encode_control(template.end))  # close a response; the last also pads
        words = {*template.control_words, *(word.strip() for word in template.control_words)}
        fences = [(vocabulary.boi_id,), (vocabulary.eoi_id,)]
        self._plain_text = PlainText(
            tokenizer,
            [*map(self._encode_control, sorted(words)), *fences],
            [self._encode_control(word) for word in template.control_words],
            vocabulary.image_token_offset,
        )

    def text(self, text: str) -> TokenIds:
        """Tokenize plain text only: control text and image tokens typed in it stay text."""
        return TokenIds(self._plain_text.encode(text))

    def decode(self, token_ids) -> str:
        return self.tokenizer.decode(token_ids, skip_special_tokens=True).strip()

    def image(self, image: Image) -> Prompt:
        """Put an image between its fences, boi and eoi."""
        return [TokenIds((self.vocabulary.boi_id,)), image, TokenIds((self.vocabulary.eoi_id,))]

    def image_prefix(self, *images: Image) -> Prompt:
        """Return what stands before all instructions about the same images (templates with `image_first`)."""
        return [*self._control[self.template.start], *(part for one in images for part in self.image(one))]

    def turn(self, instruction: str, *inputs: str | Image) -> Prompt:
        """Return an instruction with its inputs, up to where the response begins."""
        control, template = self._control, self.template
        parts = [*control[template.before_instruction], self.text(instruction)]
        for one in inputs:
            parts += control[template.before_input]
            parts += [self.text(one)] if isinstance(one, str) else self.image(one)
        return [*parts, *control[template.before_response]]

    def prompt(self, instruction: str, *inputs: str | Image) -> Prompt:
        """Return the whole prompt for an instruction with any number of texts and images, in the template's
        order.

        Templates with `image_first` move the images before the instruction.
        """
        images = [one for one in inputs if not isinstance(one, str)] if self.template.image_first else []
        rest = [one for one in inputs if one not in images]
        return [*self.image_prefix(*images), *self.turn(instruction, *rest)]

    def response(self, text: str) -> TokenIds:
        return TokenIds((*self.text(text).ids, *self.end_ids))

    def _encode_control(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False).input_ids)
