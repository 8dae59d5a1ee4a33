import pytest

from llmcxr.reports.chat_text import strip_markdown, strip_reasoning, to_plain_layout


@pytest.mark.parametrize(
    "text",
    [
        "<think>Is it large?</think>Heart is large.",
        "<think>\nIs it large?\n</think>\n\nHeart is large.",
        "Is it large? </think> Heart is large.",  # the template opened it
        "<thinking>Is it?</thinking><thinking>Yes.</thinking>Heart is large.",
        "<think>I may write <think> here.</think>Heart is large.",
        "<think>a<think>b</think>c</think>Heart is large.",
        "Heart is large.<think>Was that right?",
        '<THINK budget="9">Is it?</THINK >Heart is large.',
        "&lt;think&gt;Is it?&lt;/think&gt;Heart is large.",
        "<reasoning>Is it?</reasoning>\nHeart is large.",
        "<seed:think>Is it?</seed:think>Heart is large.",
        "[THINK]Is it?[/THINK]Heart is large.",
        "<|begin_of_thought|>Is it?<|end_of_thought|><|begin_of_solution|>Heart is large.<|end_of_solution|>",
        "<|START_THINKING|>Is it?<|END_THINKING|><|START_RESPONSE|>Heart is large.<|END_RESPONSE|>",
        "<unused94>thought\nIs it?<unused95>Heart is large.",
        "<|channel>thought\nIs it?<channel|>Heart is large.",
        "<|channel|>analysis<|message|>Is it?<|end|><|start|>assistant<|channel|>final<|message|>"
        "Heart is large.<|return|>",
        "analysisIs it?assistantfinalHeart is large.",
        "<think>Is it?</think><answer>Heart is large.</answer>",
        "It looks wide. <answer>Heart is large.",
        '<details type="reasoning" done="true">Is it?</details>Heart is large.',
        "Heart is large.<|im_end|>",
        "<bos>Heart is large.<end_of_turn><eos>",  # Gemma
        "<start_of_turn>model\nHeart is large.<end_of_turn>",
        "[INST] Write a report. [/INST] Heart is large.<pad><pad>",
        "<|start_header_id|>assistant<|end_header_id|>\n\nHeart is large.<|eot_id|>",
        "<|im_start|>assistant\nHeart is large.",
        "<｜Assistant｜>Heart is large.<｜end▁of▁sentence｜>",  # DeepSeek
    ],
)
def test_reasoning_is_left_out(text):
    assert strip_reasoning(text) == "Heart is large."


@pytest.mark.parametrize(
    "text",
    [
        "<think>Is it",
        "<|channel|>analysis<|message|>Is it",
        "<|channel|>analysis Is it large?",
        "analysisIs it",
        "<think>Is it?</think>",
        "",
    ],
)
def test_a_text_cut_off_within_its_reasoning_says_nothing(text):
    assert strip_reasoning(text) == ""


@pytest.mark.parametrize(
    "text",
    ["Nodules <5 mm and >3 mm.", "Think of edema.", "Analysis: clear.", "[1] Clear. a < b", "2*3 cm"],
)
def test_other_texts_stay_as_they_are(text):
    assert strip_reasoning(text) == strip_markdown(text) == text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("**Large** heart, *no* __effusion__", "Large heart, no effusion"),
        ("***Edema***", "Edema"),
        ("No change*. *Clear", "No change. Clear"),
        ("- Large heart\n• No effusion\n* *Clear*", "- Large heart\n- No effusion\n- Clear"),
        ("```text\nClear\n```", " \nClear\n "),
        ("a ___ b ___", "a ___ b ___"),
        ("2*3 cm", "2*3 cm"),
    ],
)
def test_markdown_is_left_out(text, plain):
    assert strip_markdown(text) == plain


def test_long_lines_of_marks_take_no_time():
    for mark in ("*a ", "**", "__", "<think ", "# ", "- ", "<answer>"):
        strip_markdown(strip_reasoning(mark * 20_000))


def test_a_great_many_empty_lines_take_no_time():
    assert strip_markdown("Clear lungs." + "\n" * 100_000 + "* No effusion.").endswith("- No effusion.")


def test_a_prompt_before_and_turns_after_the_model_s_own_are_left_out():
    chat = "<|im_start|>user\nDescribe.<|im_end|>\n<|im_start|>assistant\nClear.<|im_end|>\n"
    assert strip_reasoning(chat) == strip_reasoning(chat + "<|im_start|>user\nAnd?<|im_end|>") == "Clear."
    assert strip_reasoning("Clear. [INST] Next? [/INST] Large heart.") == "Clear."


@pytest.mark.parametrize(
    "text",
    ["{Clear}", '{"a": 1}', '["findings"]', '{"findings": "Cl', "Nodule <5 mm.", "a\nb\\n", "{" * 9000 + "}"],
)
def test_other_layouts_stay_as_they_are(text):
    assert to_plain_layout(text) == text
