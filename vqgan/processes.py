"""Keep processes out of each other's way: one at a time in a place, and none that outlives its parent.

The locks are the system's (flock): they end with the process that holds them, also when it is killed. On a
network file system without locks there are none, and a warning says so.
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_start_method
from pathlib import Path

from vqgan.errors import UserError

PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>

logger = logging.getLogger(__name__)
_held: dict[str, int] = {}  # lock file -> the thread of this process that holds it


@contextmanager
def one_at_a_time(lock_file: Path, place: str | os.PathLike, waits: bool = False) -> Iterator[None]:
    """Do the enclosed work while no other process does it in `place`; a thread that already does it may.

    `lock_file` is made, and removed at the end. Where another process is at work, raises UserError, or
    `waits` until it is done.
    """
    key = os.path.realpath(lock_file)
    if _held.get(key) == threading.get_ident():
        yield
        return
    is_new = not lock_file.parent.exists()
    handle = _take(lock_file, place, waits)
    _held[key] = threading.get_ident()
    try:
        yield
    finally:
        del _held[key]
        # removed while it is held: who waits for it looks whether it still has its name
        lock_file.unlink(missing_ok=True)
        os.close(handle)
        if is_new:  # and nothing was written
            with suppress(OSError):
                lock_file.parent.rmdir()


def _take(lock_file: Path, place: str | os.PathLike, waits: bool) -> int:
    while True:
        try:
            lock_file.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise UserError(
                f"{lock_file}: expected a place that can be written, found: {error.strerror}; choose another"
            ) from error
        if (is_locked := try_lock(handle)) is None:
            logger.warning("%s: no locks on this file system: let one process at a time work here", place)
            return handle
        if not is_locked and not waits:
            os.close(handle)
            raise UserError(
                f"{place}: another process is at work here; wait until it is done, or choose another place"
            )
        if not is_locked:
            logger.warning("%s: another process is at work here; waiting until it is done", place)
            fcntl.flock(handle, fcntl.LOCK_EX)
        if _is_named(handle, lock_file):
            return handle
        os.close(handle)  # removed by the one who held it


def try_lock(handle: int) -> bool | None:
    """Lock an open file or folder; False where another has, None where the file system has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_named(handle: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except FileNotFoundError:
        return False


def end_with_parent(parent: int, worker: int = 0) -> None:
    """Let this worker process end when its parent, the process of that id, does: also when that is killed.

    A DataLoader also gives the `worker`'s number.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    # it may have ended before this was asked; a fork server is no parent of ours to compare with
    if os.getppid() != parent and get_start_method(allow_none=True) != "forkserver":
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        threading.Event().wait(1)
    os._exit(1)
