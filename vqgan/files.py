"""Write a file or a folder whole or not at all. Knows nothing of what is in it.

What is unfinished is called .NAME.writing-RANDOM and locked by the process that writes it, so that what a
killed one left can be told from it.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from vqgan.errors import UserError
from vqgan.processes import try_lock

WRITE_FAILURES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO}
# of safetensors, and of torch.save, whose file format is PyTorch's "inline container"
HIDDEN_WRITE_FAILURES = ("I/O error", "inline_container", "iostream error")
MARK = ".writing-"  # in the name of what is unfinished
UNFINISHED = re.compile(rf"\..*{re.escape(MARK)}[a-z0-9_]{{8}}(\..*)?", re.DOTALL)
DEVICES = Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd")


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it takes `path`'s place, on an error it is removed.

    The missing folders above `path` are made. A device or pipe, such as /dev/null, is never replaced: what
    was written goes into it. Raises UserError for a place that cannot be written, and OSError where writing
    fails later, as on a full disk.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: expected the name of a file to write, found a folder; add a file name")
    if is_device(path):
        with tempfile.TemporaryDirectory() as folder:
            beside = Path(folder) / path.name
            yield beside
            with beside.open("rb") as written, path.open("ab") as device:
                shutil.copyfileobj(written, device)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = _open_beside(path)
    except OSError as error:
        raise UserError(
            f"{path}: expected a place that can be written, found: {error.strerror}; "
            "choose another file name or make the folder writable"
        ) from error
    try:
        yield beside
        share(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
        os.close(handle)


def is_device(path: Path) -> bool:
    """Tell whether a name is that of a device or a pipe, or of what a shell put in its place."""
    return path.exists() and (not path.is_file() or path.absolute().parent in DEVICES)


def _open_beside(path: Path) -> tuple[int, Path]:
    while True:
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem[:40]}{MARK}", suffix=path.suffix, dir=path.parent
        )
        try_lock(handle)
        if os.fstat(handle).st_nlink:  # else taken for abandoned before it was locked
            return handle, Path(name)
        os.close(handle)


@contextmanager
def unfinished_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`, to be renamed; what is left of it at the end is removed."""
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name[:40]}{MARK}", dir=path.parent))
    handle = os.open(folder, os.O_RDONLY)
    try_lock(handle)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def restore_earlier(folder: Path) -> None:
    """Bring back what a kill within `replace_folder` left under another name."""
    earlier = folder.with_name(f".{folder.name}.earlier")
    if earlier.is_dir() and not folder.exists():
        earlier.rename(folder)


def replace_folder(folder: Path, new: Path, own_names: re.Pattern[str]) -> None:
    """Let the folder `new` take the place of `folder`, if there is one, whose other files than `own_names`
    go over to it. A kill leaves one of the two, the earlier one perhaps as .NAME.earlier.
    """
    earlier = folder.with_name(f".{folder.name}.earlier")
    if folder.exists():
        shutil.rmtree(earlier, ignore_errors=True)
        for other in folder.iterdir():
            if not own_names.fullmatch(other.name) and not (new / other.name).exists():
                other.rename(new / other.name)
        folder.rename(earlier)
    new.rename(folder)
    shutil.rmtree(earlier, ignore_errors=True)


def remove_abandoned(folder: str | os.PathLike) -> None:
    """Remove what killed processes left unfinished in a folder. What a living one writes is locked."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if UNFINISHED.fullmatch(entry.name) and not entry.is_symlink():
                with suppress(OSError):
                    _remove_unlocked(Path(entry.path), entry.is_dir())


def _remove_unlocked(path: Path, is_folder: bool) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        if try_lock(handle):
            shutil.rmtree(path) if is_folder else path.unlink()
    finally:
        os.close(handle)


def share(path: Path) -> None:
    """Give a file, or a folder and all that is in it, the mode that the umask gives any other.

    mkstemp and mkdtemp make private ones, and safetensors files of mode 600 whatever the umask.
    """
    mask = _umask()
    for each in (path, *path.rglob("*")):
        if not each.is_symlink():
            each.chmod((0o777 if each.is_dir() else 0o666) & ~mask)


def write_text(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


@contextmanager
def telling_read_failures(place: object) -> Iterator[None]:
    """Turn what the file system refuses in the enclosed work into a UserError that names the place: a name
    too long or with a NUL, a folder that may not be entered, a disk that fails.
    """
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) and "null byte" not in str(error):
            raise
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{place!s:.200}: expected a place that can be read, found: {reason}; check the path"
        ) from error


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
