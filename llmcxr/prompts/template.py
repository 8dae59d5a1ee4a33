"""Give the control text around the parts of a prompt.

There are two templates: `compact`, a few control tokens, image before instruction, for small models trained
from scratch (several questions then share one image); and `alpaca`, the Dolly/Alpaca form of LLM-CXR (sec.
2.2), for instruction-tuned models.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PromptTemplate:
    """Holds the control text around the parts of a prompt; `end` closes a response, "" is none."""

    name: str
    start: str
    before_instruction: str
    before_input: str
    before_response: str
    end: str
    image_first: bool  # an image stands before the instruction

    @property
    def control_words(self) -> tuple[str, ...]:
        """Return the control texts that there are, each once."""
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
