"""Tell whether a server's words give a key away, in whatever form it was sent back. Knows no server."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

PIECE_LENGTH = 6  # characters of a key in a row that are too many to show
TAIL_LENGTH = 4  # of its end, which servers show of a key that they mask
DEPTH = 2  # encodings within one another that are looked through


def holds_key(words: str, key: str) -> bool:
    """Tell whether a piece of `key` is in `words`: as it is, backwards, or encoded for URLs, HTML, JSON, in
    base64 or in hexadecimal digits. Capitals make no difference.
    """
    if not key:
        return False
    texts = {words}
    for _ in range(DEPTH):
        texts |= {decoded for text in texts for decoded in _decode(text)}
    pieces = _pieces(key.casefold())
    return any(piece in text.casefold() for text in texts for piece in pieces)


def _pieces(key: str) -> set[str]:
    length = min(PIECE_LENGTH, len(key))
    windows = {key[start : start + length] for start in range(len(key) - length + 1)}
    return windows | {piece[::-1] for piece in windows} | {key[-TAIL_LENGTH:]}


def _decode(text: str) -> Iterator[str]:
    yield unquote_plus(text)
    yield html.unescape(text)
    yield re.sub(
        r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})", lambda code: chr(int(code[1] or code[2], 16)), text
    )
    yield text.replace("\\", "")
    yield re.sub(r"\s+", "", text)
    for token in re.findall(r"[A-Za-z0-9+/_-]{6,}", text):
        for start in range(4):  # what stands before may be of another text
            part = token[start:].replace("-", "+").replace("_", "/")
            yield base64.b64decode(part[: len(part) // 4 * 4]).decode("latin-1")
    for token in re.findall(r"(?:[0-9a-fA-F]{2}){4,}", text):
        yield binascii.unhexlify(token).decode("latin-1")
