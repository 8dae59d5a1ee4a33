"""One process at a time in a place; a worker ends with its parent, also when that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import pytest

from vqgan.errors import UserError
from vqgan.processes import one_at_a_time

HOLD = """
    import sys, time
    from pathlib import Path
    from vqgan.processes import one_at_a_time
    with one_at_a_time(Path(sys.argv[1]), "place", waits=len(sys.argv) > 3):
        print("in", flush=True)
        time.sleep(float(sys.argv[2]))
"""


def start(code: str, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_second_is_refused_until_the_first_is_done_or_killed(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    first = start(HOLD, lock, 60)
    assert first.stdout.readline() == "in\n"
    with (
        pytest.raises(UserError, match="place: another process is"),
        one_at_a_time(lock, "place"),
    ):
        pass
    first.kill()
    first.wait()
    with one_at_a_time(lock, "place"), one_at_a_time(lock, "place"):  # its own thread may come in again
        assert lock.exists()
    assert not lock.exists()


def test_who_waits_comes_in_one_after_the_other(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    with one_at_a_time(lock, "place"):
        waiting = [start(HOLD, lock, 0.3, "waits") for _ in range(3)]
        said = [one.stderr.readline() for one in waiting]
        started = time.monotonic()
    assert all("waiting until it is done" in line for line in said)
    assert [one.communicate(timeout=60)[0] for one in waiting] == ["in\n"] * 3
    assert time.monotonic() - started > 0.8 and not lock.exists()


def test_a_worker_ends_with_its_killed_parent(tmp_path: Path) -> None:
    parent = start(
        """
        import os, time
        from multiprocessing import get_context
        from vqgan.processes import end_with_parent
        def work(parent):
            end_with_parent(parent)
            print(os.getpid(), flush=True)
            time.sleep(60)
        get_context("fork").Process(target=work, args=(os.getpid(),)).start()
        time.sleep(60)
        """
    )
    worker = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert ends(worker)


def ends(process: int, seconds: float = 10) -> bool:
    """Tell whether a process, which may be a zombie of another parent, ends in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(FileNotFoundError):
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z":
                time.sleep(0.05)
                continue
        return True
    os.kill(process, signal.SIGKILL)
    return False
