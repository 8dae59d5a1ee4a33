"""Post JSON to a server within limits of time and size. Knows no protocol above HTTP.

What goes wrong is returned and not raised: an error would chain what the server said and the headers that
were sent, and the key is in them.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

READ_AT_ONCE = 2**16  # bytes
LONGEST_FAILURE = 10_000  # bytes of what a server says of a failure that are read
LOST = (  # the connection was there and broke: the next may hold
    ConnectionResetError,
    BrokenPipeError,
    http.client.RemoteDisconnected,
    http.client.IncompleteRead,
)


@dataclass(frozen=True)
class Answer:
    """Holds what a server answered, whether or not it is a success."""

    status: int
    body: bytes
    retry_after: str = ""  # the header of that name


@dataclass(frozen=True)
class NoAnswer:
    """Says in a few words why there is no answer; `was_lost` where another attempt may have one."""

    reason: str
    was_lost: bool = False


class _Reads(Protocol):
    length: int | None  # bytes that are still to come, where the server says

    def read1(self, size: int) -> bytes: ...


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: it would carry the key and the images to another machine than the one named."""

    def redirect_request(self, *_: Any) -> None:
        return None


def post(
    url: str, content: Any, headers: Mapping[str, str], timeout_s: float, most_bytes: int
) -> Answer | NoAnswer:
    """Post `content` as JSON. `timeout_s` is for all: finding the server, sending and the whole answer."""
    found: list[Answer | NoAnswer] = []
    data = json.dumps(content, allow_nan=False).encode()
    request = urllib.request.Request(
        url, data, {**headers, "Content-Type": "application/json"}, method="POST"
    )
    deadline = time.monotonic() + timeout_s
    # a server may send a byte now and then for ever, which no timeout of a socket notices: who waits is not
    # the one who reads
    reader = threading.Thread(
        target=lambda: found.append(_exchange(request, deadline, timeout_s, most_bytes)), daemon=True
    )
    reader.start()
    reader.join(timeout_s)
    return found[0] if found else NoAnswer(f"none within {timeout_s:g} s")


def _exchange(
    request: urllib.request.Request, deadline: float, timeout_s: float, most_bytes: int
) -> Answer | NoAnswer:
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=timeout_s) as response:
            body = _read(response, deadline, most_bytes)
            return Answer(response.status, body, response.headers.get("Retry-After", ""))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _read_start(error.fp, deadline), error.headers.get("Retry-After", ""))
    except _LimitError as limit:
        return NoAnswer(str(limit))
    except Exception as error:  # whatever a server makes of HTTP
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, LOST):
            return NoAnswer("a connection that broke", was_lost=True)
        is_late = isinstance(reason, TimeoutError)
        return NoAnswer(f"none within {timeout_s:g} s" if is_late else f"none ({type(reason).__name__})")


class _LimitError(Exception):
    """Says which limit an answer passed."""


def _read(response: _Reads, deadline: float, most_bytes: int) -> bytes:
    body = bytearray()
    while piece := response.read1(READ_AT_ONCE):
        body += piece
        if len(body) > most_bytes:
            raise _LimitError(f"one of more than {most_bytes:,} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError
    if response.length:
        raise http.client.IncompleteRead(b"")
    return bytes(body)


def _read_start(response: _Reads, deadline: float) -> bytes:
    """Read the first bytes, or those that come; a failure is told by its status where there are none."""
    body = bytearray()
    with suppress(OSError, http.client.HTTPException):
        while len(body) < LONGEST_FAILURE and time.monotonic() < deadline:
            piece = response.read1(READ_AT_ONCE)
            if not piece:
                break
            body += piece
    return bytes(body[:LONGEST_FAILURE])
