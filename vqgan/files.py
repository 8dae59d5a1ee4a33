"""Write a file whole or not at all. Knows nothing of what is in it."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from vqgan.errors import UserError

WRITE_FAILURES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO}
# of safetensors, and of torch.save, whose file format is PyTorch's "inline container"
HIDDEN_WRITE_FAILURES = ("I/O error", "inline_container", "iostream error")


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it takes `path`'s place, on an error it is removed.

    The missing folders above `path` are made. Raises UserError for a place that cannot be written, and
    OSError where writing fails later, as on a full disk.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: expected the name of a file to write, found a folder; add a file name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem[:40]}-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise UserError(
            f"{path}: expected a place that can be written, found: {error.strerror}; "
            "choose another file name or make the folder writable"
        ) from error
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        beside.chmod(0o666 & ~_umask())  # mkstemp makes files private; an output should be as any other
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


@contextmanager
def telling_write_failures(place: str | os.PathLike, advice: str) -> Iterator[None]:
    """Turn a failure to write in the enclosed work into a UserError that names the place and ends in advice.

    safetensors and torch.save hide the OSError of a full disk in errors of their own.
    """
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        is_hidden = any(sign in reason for sign in HIDDEN_WRITE_FAILURES)
        if not is_hidden and getattr(error, "errno", None) not in WRITE_FAILURES:
            raise
        raise UserError(f"{place}: could not be written ({reason}); {advice}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
