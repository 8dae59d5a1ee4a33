"""Take off what chat models put around a text: their reasoning, turns, tags, JSON and lists. Knows no
section.

Reasoning is what a model writes for itself before it answers. It is never scored, and a text that is cut off
within its reasoning has no answer at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from vqgan.json_text import from_json

_LESS, _MORE = r"(?:<|&lt;)", r"(?:>|&gt;)"
_THOUGHT = (
    r"(?:seed:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|rationale|scratchpad"
    r"|chain[_ -]of[_ -]thought|cot|inner[_ -]monologue)"
)
# What begins and what ends reasoning, as tags and as the control tokens of models in use
_BEGINS = (
    rf"{_LESS}{_THOUGHT}(?:\s[^<>]*)?{_MORE}",
    rf"<\|(?:begin_of_|start_(?:of_)?)?{_THOUGHT}\|>",
    r"\[(?:think(?:ing)?|reasoning)\]",
    r"<details\s[^<>]*reasoning[^<>]*>",
    r"<unused94>(?:thought\b)?",  # MedGemma
    r"<\|channel>thought\b",  # Gemma 4
    "◁think▷",  # Kimi
)
_ENDS = (
    rf"{_LESS}/\s*{_THOUGHT}\s*{_MORE}",
    rf"<\|(?:/|end_(?:of_)?){_THOUGHT}\|>",
    r"\[/(?:think(?:ing)?|reasoning)\]",
    r"</details>",
    r"<unused95>",
    r"<channel\|>",
    "◁/think▷",
)
_REASONING_MARK = re.compile(f"(?P<begins>{'|'.join(_BEGINS)})|(?P<ends>{'|'.join(_ENDS)})", re.IGNORECASE)
# The channels of gpt-oss: as it writes them, and as they look once its control tokens are left out
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*?(?:<\|message\|>|\s|$)", re.IGNORECASE)
_BARE_ANALYSIS = re.compile(r"\A\s*analysis(?=[A-Z])(?:.*?assistant\s*final|.*)", re.DOTALL)
_CHANNEL_END = re.compile(r"<\|(?:end|return|start|call)\|>", re.IGNORECASE)
_ANSWER = re.compile(
    rf"{_LESS}(?:final_?)?answer{_MORE}(?P<words>.*?)(?:{_LESS}/(?:final_?)?answer{_MORE}|$)",
    re.IGNORECASE | re.DOTALL,
)
_CONTROL_TOKEN = re.compile(
    r"<\|[^<>|]{1,40}\|>|<｜[^<>｜]{1,40}｜>|</?s>|<(?:bos|eos|pad|unk|end_of_turn|end_of_utterance)>"
    r"|</?(?:response|output|report|solution)>",
    re.IGNORECASE,
)
_TURN_BEGINS = r"(?:<\|im_start\|>|<start_of_turn>|<\|start_header_id\|>)\s*"
_TURN = re.compile(
    rf"(?P<own>{_TURN_BEGINS}(?:assistant|model)\b|<\|assistant\|>|<｜Assistant｜>|\[/INST\])"
    rf"|{_TURN_BEGINS}(?:user|system)\b|<\|(?:user|system)\|>|<｜User｜>|\[INST\]",
    re.IGNORECASE,
)


def strip_reasoning(text: str) -> str:
    """Leave out a text's reasoning parts, closed or cut off, and the tags around its answer.

    What ends in </think> is reasoning from its beginning, since many chat templates open it in the prompt.
    """
    text = _BARE_ANALYSIS.sub("", _read_final_channel(_read_own_turn(text)), count=1)
    kept, place, is_inside = "", 0, False
    for mark in _REASONING_MARK.finditer(text):
        if mark["ends"]:
            kept = kept if is_inside else ""
            is_inside, place = False, mark.end()
        elif not is_inside:
            kept += text[place : mark.start()]
            is_inside = True
    if not is_inside:
        kept += text[place:]
    answers = [match["words"] for match in _ANSWER.finditer(kept)]
    return _CONTROL_TOKEN.sub("", answers[-1] if answers else kept).strip()


def _read_own_turn(text: str) -> str:
    """Return the model's first turn that says something, without the prompt before it and the turns after."""
    place, is_own = 0, True
    for mark in _TURN.finditer(text):
        turn = text[place : mark.start()]
        if is_own and _CONTROL_TOKEN.sub("", turn).strip():
            return turn
        place, is_own = mark.end(), mark["own"] is not None
    return text[place:] if is_own else ""


def _read_final_channel(text: str) -> str:
    """Return what stands in the channel called final, "" where a text has channels but not that one."""
    channels = list(_CHANNEL.finditer(text))
    if not channels:
        return text
    finals = [channel for channel in channels if channel[1].lower() == "final"]
    if not finals:
        return ""
    return _CHANNEL_END.split(text[finals[-1].end() :])[0]


_JSON = re.compile(r"(?:```(?:json)?|~~~)?\s*(\{.*\})\s*(?:```|~~~)?", re.DOTALL | re.IGNORECASE)
_WHOLE = (
    "report",
    "text",
    "response",
    "answer",
    "output",
    "radiology report",
)  # keys of a report, not a part
_WRITTEN_BREAK = re.compile(r"(?:\\r)?\\n")
_SECTION_TAG = re.compile(r"<(/?)(findings?|impressions?)>", re.IGNORECASE)
_TITLE_TAG = re.compile(r"<h[1-6][^<>]{0,200}>([^<]{0,200})</h[1-6]>", re.IGNORECASE)
_BLOCK_TAG = re.compile(r"</?(?:p|br|hr|div|ul|ol|li|html|body|section)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_BOLD_TAG = re.compile(r"</?(?:b|strong)>", re.IGNORECASE)
_INLINE_TAG = re.compile(r"</?(?:i|em|u|span|font)(?:\s[^<>]*)?>", re.IGNORECASE)


def to_plain_layout(text: str) -> str:
    """Write a report given as JSON or with tags, or with line breaks written out, in lines with headings."""
    text = _read_json(text)
    if "\\n" in text and "\n" not in text:
        text = _WRITTEN_BREAK.sub("\n", text)
    if "<" not in text:
        return text
    text = _SECTION_TAG.sub(lambda tag: "\n" if tag[1] else f"\n{tag[2].upper()}:\n", text)
    text = _BLOCK_TAG.sub("\n", _TITLE_TAG.sub(r"\n# \1\n", text))
    return _INLINE_TAG.sub("", _BOLD_TAG.sub("**", text))


def _read_json(text: str) -> str:
    """Return the report in a JSON object with keys such as findings and impression, else the text itself."""
    found = _JSON.fullmatch(text.strip())
    try:
        report = from_json(found[1], strict=False) if found else None
    except ValueError:
        return text
    names = {str(key).lower() for key in report or ()}
    return "\n".join(_list_parts(report)) if names & {"findings", "impression", *_WHOLE} else text


def _list_parts(report: dict) -> Iterator[str]:
    for key, value in report.items():
        name = key.replace("_", " ")
        lines = value if isinstance(value, list) else [value]
        words = "\n".join(line for line in lines if isinstance(line, str))
        if isinstance(value, dict):
            yield from _list_parts(value)
        elif words:
            yield words if name.lower() in _WHOLE else f"{name.upper()}: {words}"


_FENCE = re.compile(r"```\w*|~~~\w*")
_BULLET = re.compile(r"(?<!\S)[*•‣▪●◦](?=\s)")
_EMPHASIS = re.compile(
    r"(?<![*\w])(\*{1,3})(?=[^\s*])([^\n]{0,300}?[^\s*])\1(?![*\w])"
    r"|(?<!_)__(?=[^\s_])([^\n]{0,300}?[^\s_])__(?!_)"
)
_HALF_EMPHASIS = re.compile(r"(?<=[\w.,;:!?)])\*{1,3}(?=[\s.,;:!?)]|$)|(?<![^\s(])\*{1,3}(?=\w)")


def strip_markdown(text: str) -> str:
    """Leave out fences and the stars and lines around words, also where one side is left; write every bullet
    as a dash, which keeps the items of a list apart where its lines are joined.
    """
    text = _BULLET.sub("-", _FENCE.sub(" ", text))
    return _HALF_EMPHASIS.sub("", _EMPHASIS.sub(lambda marked: marked[2] or marked[3], text))
