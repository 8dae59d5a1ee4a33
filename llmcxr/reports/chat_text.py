"""Take off what chat models put around a text: their reasoning, tags and lists. Knows no section.

Reasoning is what a model writes for itself before it answers. It is never scored, and a text that is cut off
within its reasoning has no answer at all.
"""

from __future__ import annotations

import re

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
    r"<\|[^<>|]{1,40}\|>|</?s>|</?(?:response|output|report|solution)>", re.IGNORECASE
)


def strip_reasoning(text: str) -> str:
    """Leave out a text's reasoning parts, closed or cut off, and the tags around its answer.

    What ends in </think> is reasoning from its beginning, since many chat templates open it in the prompt.
    """
    text = _BARE_ANALYSIS.sub("", _read_final_channel(text), count=1)
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


def _read_final_channel(text: str) -> str:
    """Return what stands in the channel called final, "" where a text has channels but not that one."""
    channels = list(_CHANNEL.finditer(text))
    if not channels:
        return text
    finals = [channel for channel in channels if channel[1].lower() == "final"]
    if not finals:
        return ""
    return _CHANNEL_END.split(text[finals[-1].end() :])[0]


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
