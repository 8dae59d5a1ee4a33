"""Servers that talk slowly, for ever, too much, or not at all."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress

import pytest

from llmcxr.systems.post import NoAnswer, post

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


@contextmanager
def _serve(talk: Callable[[socket.socket], None]):
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        talking, _ = listening.accept()
        while not talking.recv(2**16).endswith(b"}"):  # the whole request: a rest would break the connection
            pass
        with suppress(OSError):
            talk(talking)
        talking.close()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    listening.close()


@pytest.fixture(autouse=True)
def _without_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def _post(url: str, timeout_s: float = 5.0, most_bytes: int = 10**6):
    return post(url, {"a": 1}, {}, timeout_s, most_bytes)


def _drip(talking: socket.socket, before: bytes) -> None:
    talking.sendall(before)
    for _ in range(100):
        talking.sendall(b" ")
        time.sleep(0.05)


def test_an_answer_that_comes_in_pieces():
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    for answer in (HEAD + b"abc", chunks):
        with _serve(lambda talking, answer=answer: talking.sendall(answer)) as url:
            assert _post(url).body == b"abc"


@pytest.mark.parametrize("before", [HEAD, b"HTTP/1.1 200 OK\r\nX: ", b"", b"HTTP/1.1 400 No\r\n\r\n"])
def test_a_byte_now_and_then_is_no_answer_in_time(before):
    with _serve(lambda talking: _drip(talking, before)) as url:
        started = time.monotonic()
        assert _post(url, timeout_s=0.4) == NoAnswer("none within 0.4 s")
        assert time.monotonic() - started < 2


@pytest.mark.parametrize("head", [HEAD, b"HTTP/1.1 500 No\r\n\r\n"])
def test_no_more_is_read_than_an_answer_has(head):
    """Of a failure the beginning is kept, which says what it is."""
    sent = []

    def pour(talking):
        talking.sendall(head)
        for _ in range(200):
            talking.sendall(b"x" * 10**6)
            sent.append(1)

    with _serve(pour) as url:
        answer = _post(url)
        if head == HEAD:
            assert answer == NoAnswer("one of more than 1,000,000 bytes")
        else:
            assert answer.status == 500 and answer.body == b"x" * 10_000
    assert len(sent) < 100


@pytest.mark.parametrize(
    ("answer", "was_lost"),
    [
        (b"", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", True),
        (b"nonsense\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", True),
    ],
)
def test_a_broken_answer_is_named_by_kind_alone(answer, was_lost):
    with _serve(lambda talking: talking.sendall(answer)) as url:
        found = _post(url)
    assert isinstance(found, NoAnswer) and found.was_lost is was_lost and "xxx" not in found.reason


def test_a_server_that_is_not_there():
    for url in ("http://127.0.0.1:9/", "http://no-such-host.invalid/"):
        assert _post(url).reason.startswith("none (")
