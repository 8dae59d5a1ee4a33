"""Handle reports as text: sections in and out, cleaning, and a report worded from labels. Knows no models."""

from llmcxr.reports.chat_text import strip_reasoning
from llmcxr.reports.repetition import is_repetitive
from llmcxr.reports.scored import scored_answer, scored_text
from llmcxr.reports.sections import SECTIONS, join_sections, parse_sections, to_text
from llmcxr.reports.wording import (
    SEXES,
    capitalise,
    clean,
    describe_circumstances,
    describe_labels,
    exchange_sides,
)

__all__ = [
    "SECTIONS",
    "SEXES",
    "capitalise",
    "clean",
    "describe_circumstances",
    "describe_labels",
    "exchange_sides",
    "is_repetitive",
    "join_sections",
    "parse_sections",
    "scored_answer",
    "scored_text",
    "strip_reasoning",
    "to_text",
]
