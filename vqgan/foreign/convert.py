"""Import an image tokenizer of taming-transformers or LLM-CXR into a directory of ours, and export one back.

    python -m vqgan.foreign.convert from-taming last.ckpt model.yaml OUT
    python -m vqgan.foreign.convert to-taming DIRECTORY last.ckpt model.yaml

The checkpoint is Lightning's; of the YAML only `model.params` is used. Nothing that the checkpoint names is
run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor

from vqgan import VQGAN
from vqgan.errors import UserError
from vqgan.files import replacing, telling_write_failures
from vqgan.foreign.checkpoints import read_tensors
from vqgan.foreign.taming import names

NAMES_SHOWN = 5
ADVICE = "free some space or choose another place"


def from_taming(checkpoint: str | Path, settings: str | Path, image_size: int | None = None) -> VQGAN:
    """Load the tokenizer in a Lightning checkpoint and its YAML, for images of the YAML's resolution or of
    `image_size` px.

    Raises UserError naming the file, and the first weights or settings that do not fit.
    """
    try:
        config = names.from_taming_settings(_read_yaml(Path(settings)), image_size)
    except (ValueError, TypeError) as error:  # a TypeError is of a word where a number belongs
        raise UserError(f"{settings}: {error}") from error
    weights = names.from_taming_weights(read_tensors(checkpoint))
    model = VQGAN(config)
    _check(model.state_dict(), weights, checkpoint, settings)
    model.load_state_dict(weights)
    return model.eval()


def to_taming(model: VQGAN, checkpoint: str | Path, settings: str | Path) -> None:
    """Write what `from_taming`, and the VQModel of taming-transformers, reads. Raises UserError for another
    architecture or quantizer, and where a file cannot be written: then neither is.
    """
    description = names.to_taming_settings(model.config)
    weights = names.to_taming_weights(model.state_dict())
    state = {"state_dict": {name: weight.cpu().contiguous() for name, weight in weights.items()}}
    with (
        telling_write_failures(checkpoint, ADVICE),
        replacing(settings) as settings_file,
        replacing(checkpoint) as checkpoint_file,
    ):
        torch.save(state, checkpoint_file)
        settings_file.write_text(yaml.safe_dump(description, sort_keys=False), encoding="utf-8")


def _read_yaml(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise UserError("expected a YAML file, found no such file")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        if isinstance(content, dict):  # OmegaConf's, where ${n_embed} stands for a setting given elsewhere
            content = OmegaConf.to_container(OmegaConf.create(content), resolve=True)
    except (yaml.YAMLError, UnicodeDecodeError, OmegaConfBaseException) as error:
        raise UserError(f"expected YAML, found {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"expected `model:` with its `params:`, found {type(content).__name__}")
    return content


def _check(
    expected: dict[str, Tensor], found: dict[str, Tensor], checkpoint: str | Path, settings: str | Path
) -> None:
    """Raise with the first names, as the checkpoint spells them, that are missing, too many or of another
    shape.
    """
    missing = [name for name in expected if name not in found]
    unexpected = [name for name in found if name not in expected]
    if missing or unexpected:
        raise UserError(
            f"{checkpoint} does not fit {settings}: {_listed('missing', missing)}; "
            f"{_listed('unexpected', unexpected)}"
        )
    for name, weight in expected.items():
        if weight.shape != found[name].shape:
            raise UserError(
                f"{checkpoint} does not fit {settings}: {names.to_taming_name(name)} should be "
                f"{tuple(weight.shape)} by the settings, found {tuple(found[name].shape)}"
            )


def _listed(what: str, listed: list[str]) -> str:
    first = ", ".join(names.to_taming_name(name) for name in listed[:NAMES_SHOWN])
    more = f" and {len(listed) - NAMES_SHOWN} more" if len(listed) > NAMES_SHOWN else ""
    return f"{len(listed)} {what}" + (f" ({first}{more})" if listed else "")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.command == "from-taming":
            model = from_taming(options.checkpoint, options.settings, options.image_size)
            with telling_write_failures(options.out, ADVICE):
                model.save_pretrained(options.out)
            rows, columns = model.config.grid
            print(
                f"{options.out}: {model.config.image_size} px, {rows} x {columns} codes of "
                f"{model.config.codebook_size}, fingerprint {model.fingerprint[:12]}"
            )
        else:
            for path in (options.checkpoint, options.settings):
                if path.is_file() and path.stat().st_size:
                    raise UserError(
                        f"{path}: expected a new file, found one, which would be lost; choose another"
                    )
            to_taming(VQGAN.from_pretrained(options.directory), options.checkpoint, options.settings)
            print(f"{options.checkpoint}, {options.settings}")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vqgan.foreign.convert",
        description="Import image tokenizers of taming-transformers and LLM-CXR, and export them back.",
        epilog="Research software, not a medical device.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    importing = commands.add_parser("from-taming", help="a Lightning checkpoint and its YAML -> a directory")
    importing.add_argument(
        "checkpoint", type=Path, metavar="CKPT", help="such as last.ckpt; nothing in it is run"
    )
    importing.add_argument(
        "settings", type=Path, metavar="YAML", help="such as model.yaml, with model.params"
    )
    importing.add_argument(
        "out", type=Path, metavar="OUT", help="directory for config.json and model.safetensors"
    )
    importing.add_argument(
        "--image-size",
        type=int,
        metavar="PX",
        help="side of the images to come, if not the YAML's resolution",
    )
    exporting = commands.add_parser("to-taming", help="a directory -> a checkpoint and its YAML")
    exporting.add_argument("directory", type=Path, metavar="DIRECTORY", help="an image tokenizer directory")
    exporting.add_argument("checkpoint", type=Path, metavar="CKPT", help="to be written")
    exporting.add_argument("settings", type=Path, metavar="YAML", help="to be written")
    return parser


if __name__ == "__main__":
    main()
