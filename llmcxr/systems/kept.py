"""Keep what a system writes in a file of predictions, each text as it comes: it may have been paid for.

The file can be judged again as `file:FILE`. What an earlier run kept there is moved aside, not replaced.
"""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path

from llmcxr.common.errors import UserError
from llmcxr.common.files import telling_write_failures
from llmcxr.common.guard import Kind
from llmcxr.predictor import Asked, TextResult
from vqgan.processes import one_at_a_time

SUFFIX = ".jsonl"


def _recognise(path: Path) -> bool:
    with path.open(encoding="utf-8") as lines:
        row = json.loads(next(lines))
    return isinstance(row, dict) and set(row) in ({"id", "report"}, {"id", "question", "answer"})


PREDICTIONS = Kind("a file of predictions that llmcxr kept", _recognise)


class KeptPredictions:
    """Adds reports and answers to a file, whole lines at once; the file begins with the first of them.

    Texts are as the system gave them. An earlier file of that name becomes `former`.
    """

    def __init__(self, path: Path) -> None:
        """Raises UserError for a name that a file of predictions may not have."""
        if path.suffix.lower() != SUFFIX:
            raise UserError(f"{path}: expected a name that ends in {SUFFIX}, found another; choose one")
        self.path = path
        self.former = path.with_name(f"{path.stem}.former{SUFFIX}")
        self.count = 0

    def alone(self) -> AbstractContextManager[None]:
        """Keep other processes from the file. Raises UserError on entry where one is at work on it."""
        return one_at_a_time(self.path.with_name(f".{self.path.name}.lock"), self.path)

    def add(self, asked: Asked, result: TextResult) -> None:
        """Add a report, or the answer to what was asked. Raises UserError where the disk is full."""
        about = {"question": asked.text, "answer": result.text} if asked.text else {"report": result.text}
        line = json.dumps({"id": asked.study_id, **about}, ensure_ascii=False, allow_nan=False) + "\n"
        with telling_write_failures(self.path, "free some space or choose another place"):
            if not self.count and self.path.is_file() and self.path.stat().st_size:
                os.replace(self.path, self.former)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(line.encode("utf-8", "replace"))  # half a character may not be read again
        self.count += 1
