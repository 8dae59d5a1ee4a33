"""Which networks a tokenizer's losses compared features of, kept beside it: none of them may judge it.

A network is recognised by its weights, whatever its directory is called. Knows no models.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from llmcxr.common.errors import UserError
from llmcxr.common.files import replacing
from llmcxr.model.classifier import Classifier

FILE = "teachers.json"
EVALUATOR = Path(str(files("llmcxr") / "pretrained" / "evaluator"))
FILM_EVALUATOR = EVALUATOR.with_name("evaluator-films")  # judges what tokenizers keep of films


def fingerprint(network: str | Path) -> str:
    """SHA-256 of a file of weights, or of the model.safetensors in a directory; "" where there is neither."""
    path = Path(network)
    path = path / "model.safetensors" if path.is_dir() else path
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_teachers(directory: str | Path, teachers: Mapping[str, str]) -> None:
    """`teachers`, fingerprint -> name, beside the weights of a tokenizer. None are no file."""
    if teachers:
        with replacing(Path(directory) / FILE) as beside:
            beside.write_text(json.dumps(dict(teachers), indent=2) + "\n", encoding="utf-8")


def read_teachers(directory: str | Path) -> dict[str, str]:
    """Fingerprint -> name; {} where the tokenizer had none. Raises UserError for a file that is another's."""
    file = Path(directory) / FILE
    if not file.is_file():
        return {}
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{file}: expected the teachers of a tokenizer, found {error}") from error


def refuse_teachers(teachers: Mapping[str, str], judges: Iterable[str | Path]) -> None:
    """Raises UserError where one of `judges`, paths of weights, is among a tokenizer's `teachers`."""
    for judge in judges:
        if (name := teachers.get(fingerprint(judge))) is not None:
            raise UserError(
                f"{judge}: expected a judge that took part in no loss of the tokenizer, found its teacher "
                f"({name}); train another with another seed, such as configs/classifier, and give that"
            )


def load_evaluator(judged: Any = None) -> Classifier:
    """The classifier that ships with the package and took part in no loss.

    Raises UserError where it taught the image tokenizer of `judged`, anything that may have `teachers`.
    """
    refuse_teachers(getattr(judged, "teachers", {}), [EVALUATOR])
    return Classifier.from_pretrained(EVALUATOR)
