"""Make of a report or an answer the words that metrics compare, one way for both sides. Knows no metric."""

from __future__ import annotations

import re
from dataclasses import replace

from llmcxr.records import Report
from llmcxr.reports.chat_text import strip_markdown, strip_reasoning
from llmcxr.reports.sections import join_sections, parse_sections, to_text
from llmcxr.reports.wording import clean

_NO_REPORT = ("nan", "null", "n/a", "na")  # how programs write a cell without a report
_WORD = re.compile(r"\w")


def scored_text(report: Report | str) -> str:
    """Return the words of a report as metrics compare them, "" where it says nothing.

    They are its findings and impression without headings, without what chat models put around a report, and
    without the marks of de-identification. True reports and what a system wrote go the same way, so that a
    text equal to the truth scores as equal.
    """
    text = report if isinstance(report, str) else to_text(report)  # headings within a section count too
    text = _join(parse_sections(strip_reasoning(text)))
    # once more, as the joined text may be given by itself, where "Chest:" alone is a heading
    text = clean(strip_markdown(_join(parse_sections(text))))
    return "" if text.lower() in _NO_REPORT or not _WORD.search(text) else text


def _join(report: Report) -> str:
    """Join findings and impression; the findings end in a full stop, for a "no" before what follows."""
    is_open = bool(report.impression) and report.findings[-1:].isalnum()
    return join_sections(replace(report, findings=f"{report.findings}.") if is_open else report)


def scored_answer(text: str) -> str:
    """Return an answer as metrics compare it: without reasoning and Markdown."""
    return strip_markdown(strip_reasoning(text)).strip()
