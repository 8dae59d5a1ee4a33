"""List the tasks of a model and the instructions that ask for them. A question is its own instruction."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """Names a task. Its `instructions` are paraphrases: training draws one, prediction uses the first."""

    name: str
    instructions: tuple[str, ...]


REPORT = Task("report", ("Write the report.", "Describe this radiograph.", "Give findings and impression."))
SUMMARY = Task("summary", ("Summarise in one line.", "What does it show?"))
DRAW = Task("draw", ("Draw:", "Draw a radiograph:"))
