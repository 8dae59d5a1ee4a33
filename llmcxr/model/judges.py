"""Keep beside a tokenizer which networks' features its losses compared: none of them may judge it.

A network is recognised by its weights, whatever its directory is called. Knows no models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

from llmcxr.common.errors import UserError
from llmcxr.common.files import replacing
from llmcxr.model.classifier import Classifier
from vqgan.json_text import from_json, to_json

FILE = "loss_networks.json"
OLD_FILE = "teachers.json"  # as tokenizers of version 0.1 have it
EVALUATOR = Path(str(files("llmcxr") / "pretrained" / "evaluator"))
RADIOGRAPH_EVALUATOR = EVALUATOR.with_name("evaluator-films")  # of patients' radiographs


def fingerprint(network: str | Path) -> str:
    """Return the SHA-256 of a file of weights, or of a directory's model.safetensors; "" for neither."""
    path = Path(network)
    path = path / "model.safetensors" if path.is_dir() else path
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_loss_networks(directory: str | Path, networks: Mapping[str, str]) -> None:
    """Write `networks`, fingerprint -> name, beside a tokenizer's weights; none, no file."""
    if networks:
        with replacing(Path(directory) / FILE) as beside:
            beside.write_text(to_json(dict(networks), indent=2) + "\n", encoding="utf-8")


def read_loss_networks(directory: str | Path) -> dict[str, str]:
    """Return fingerprint -> name; {} for none. Raises UserError for a file that is another's."""
    file = next((file for name in (FILE, OLD_FILE) if (file := Path(directory) / name).is_file()), None)
    if file is None:
        return {}
    try:
        return dict(from_json(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{file}: expected the loss networks of a tokenizer, found {error}") from error


def refuse_loss_networks(networks: Mapping[str, str], judges: Iterable[str | Path]) -> None:
    """Raise UserError where one of `judges`, paths of weights, is among a tokenizer's loss `networks`."""
    for judge in judges:
        if (name := networks.get(fingerprint(judge))) is not None:
            raise UserError(
                f"{judge}: expected a judge that took part in no loss of the tokenizer, found one of its "
                f"loss networks ({name}); train another with another seed, such as configs/classifier, and "
                "give that"
            )


def load_evaluator(loss_networks: Mapping[str, str] | None = None) -> Classifier:
    """Load the classifier that ships with the package and took part in no loss.

    Raises UserError where it is one of the `loss_networks` of whom it is to judge.
    """
    refuse_loss_networks(loss_networks or {}, [EVALUATOR])
    return Classifier.from_pretrained(EVALUATOR)
