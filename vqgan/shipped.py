"""Find the image tokenizers that ship with the package, by name. Knows no network."""

from __future__ import annotations

from pathlib import Path

from vqgan.errors import UserError

PLACE = Path(__file__).resolve().parent / "pretrained"
SHIPPED = {
    "cxr": PLACE / "cxr",  # real frontal radiographs, 256 px, 16 x 16 codes
}


def find_directory(directory_or_name: str | Path) -> Path:
    """Find the image tokenizer directory that is meant: a path, or a name of SHIPPED.

    A folder of that name in the working directory comes first. Raises UserError for a bare name that is
    neither, listing the names known.
    """
    path = Path(directory_or_name)
    if path.exists() or len(path.parts) != 1:
        return path
    if str(path) not in SHIPPED:
        raise UserError(
            f"{path}: expected an image tokenizer directory or one of the names {', '.join(SHIPPED)}, "
            "found no such folder and no such name"
        )
    if not SHIPPED[str(path)].is_dir():
        raise UserError(
            f"{path}: expected the tokenizer of this name in {SHIPPED[str(path)]}, found no such folder; "
            "this installation came without it, install the package again"
        )
    return SHIPPED[str(path)]
