"""What the templates put around the parts of a prompt."""

import pytest

from llmcxr.prompts import TEMPLATES


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_control_words_are_each_named_once_and_end_a_response(template):
    words = template.control_words
    assert len(set(words)) == len(words) and "" not in words
    assert {template.start, template.before_response, template.end} <= set(words)
    assert TEMPLATES[template.name] is template


def test_alpaca_is_the_form_of_dolly():
    alpaca = TEMPLATES["alpaca"]
    asked = alpaca.start + alpaca.before_instruction + "Draw." + alpaca.before_input + "Effusion."
    assert asked + alpaca.before_response + "Done." + alpaca.end == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n### Instruction:\nDraw.\n\nInput:\nEffusion.\n\n### Response:\nDone.\n\n### End"
    )
