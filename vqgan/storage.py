"""Read and write the image tokenizer directory: config.json + model.safetensors, recognised by a fingerprint.
Knows no network.

config.json holds the config, the format's name and the fingerprint that config and weights must have.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vqgan.config import VQGANConfig
from vqgan.errors import UserError
from vqgan.files import replacing
from vqgan.finite import check_weights
from vqgan.json_text import from_json, to_json

FORMAT = "vqgan-1"
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"


def fingerprint(config: VQGANConfig, weights: Mapping[str, Tensor]) -> str:
    """Return the sha256 in hex over the config's JSON and over each weight's name, dtype, shape and bytes."""
    digest = hashlib.sha256(json.dumps(config.to_fingerprint(), sort_keys=True, allow_nan=False).encode())
    for name in sorted(weights):
        weight = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()


def write_directory(directory: Path, config: VQGANConfig, weights: Mapping[str, Tensor]) -> None:
    weights = {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
    description = {"format": FORMAT, "fingerprint": fingerprint(config, weights), "config": config.to_dict()}
    _refuse_anothers(directory / CONFIG_FILE)
    # both are written before either takes its place
    with (
        replacing(directory / CONFIG_FILE) as config_file,
        replacing(directory / WEIGHTS_FILE) as weights_file,
    ):
        save_file(weights, weights_file)
        config_file.write_text(to_json(description, indent=2) + "\n", encoding="utf-8")


def _refuse_anothers(config_file: Path) -> None:
    """Raise UserError where the config of another program's model would be replaced; a cut one is ours."""
    if not config_file.is_file() or not config_file.stat().st_size:
        return
    if f'"format": "{FORMAT}"' not in config_file.read_text(encoding="utf-8", errors="replace"):
        raise UserError(
            f"{config_file}: expected that of an image tokenizer, or none, found another's, which would be "
            "lost; choose another folder"
        )


def read_directory(directory: Path) -> tuple[VQGANConfig, dict[str, Tensor]]:
    """Read the config and the weights, checked against the fingerprint."""
    if directory.is_file():
        raise UserError(
            f"{directory}: expected an image tokenizer directory, found a file; make one of a "
            "taming-transformers or LLM-CXR checkpoint: "
            "python -m vqgan.foreign.convert from-taming CKPT YAML OUT"
        )
    config_file, weights_file = directory / CONFIG_FILE, directory / WEIGHTS_FILE
    for file in (config_file, weights_file):
        if not file.is_file():
            raise UserError(
                f"{directory} is no image tokenizer directory: expected a file {file.name}, found none"
            )
    description = _read_description(config_file)
    try:
        config = VQGANConfig.from_dict(description["config"])
    except Exception as error:  # settings of other types fail where they are compared
        raise UserError(f"{config_file}: {error}") from error
    try:
        weights = load_file(weights_file)
    except SafetensorError as error:
        raise UserError(
            f"{weights_file}: expected safetensors weights, found a damaged file ({error})"
        ) from error
    found = fingerprint(config, weights)
    if found != description["fingerprint"]:
        raise UserError(
            f"{directory}: {CONFIG_FILE} expects config and weights with the fingerprint "
            f"{description['fingerprint'][:12]}, found {found[:12]} in {CONFIG_FILE} and {WEIGHTS_FILE}: "
            "one of them was altered or comes from another tokenizer"
        )
    return config, weights


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], directory: Path) -> None:
    """Load weights that must be finite and match the model's names and shapes exactly."""
    expected = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    found = {name: tuple(weight.shape) for name, weight in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise UserError(
                f"{directory / WEIGHTS_FILE}: weight {name!r}: expected {expected.get(name, 'none')}, "
                f"found {found.get(name, 'none')}"
            )
    model.load_state_dict(weights)
    check_weights(model, directory / WEIGHTS_FILE)


def _read_description(file: Path) -> dict[str, Any]:
    try:
        description = from_json(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file}: expected JSON, found {error}") from error
    found = description.get("format") if isinstance(description, dict) else None
    if found != FORMAT:
        raise UserError(f"{file}: expected format {FORMAT!r}, found {found!r}")
    for key in ("fingerprint", "config"):
        if key not in description:
            raise UserError(f"{file}: expected a key {key!r}, found {sorted(description)}")
    if not isinstance(description["fingerprint"], str) or not isinstance(description["config"], dict):
        raise UserError(f"{file}: expected a fingerprint as text and a config of settings, found others")
    return description
