"""Damage valid inputs by chance. Knows no door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

Item = TypeVar("Item")

NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    255,
    256,
    65535,
    2**31 - 1,
    2**31,
    -(2**31),
    2**32,
    2**63,
    10**30,
    0.5,
    1e-30,
    1e308,
)
NOT_FINITE = (float("nan"), float("inf"), -float("inf"))
WORDS = (
    "", " ", "\t", "\n", "\r\n", "\0", "\x1a", "\ufeff", "\u2028", "\udcff", "é", "𝟙", "ﬁ", "\u202e",
    "null", "None", "NaN", "inf", "-0", "1e999", "0x10", "1_000", "true", "[]", "{}", "${x}", "a" * 5000,
    "${oc.env:HOME}",
    "=1+1", "a,b", '"', '""', "'", "\\", "|", ";", "../..", "/", "%s", "{question}", "<|end|>", "<|boi|>",
    "<|image:000:0001|>", "### End", "FINDINGS:", "IMPRESSION", "no", "?", "<think>", "</think>", "XXXX",
    "!!python/object/apply:os.getcwd []", "&a [*a]", "<!ENTITY a 'b'>", "--", "://", ":", ",split=train",
)  # fmt: skip


class Chance:
    """Draws all that happens by chance from one generator."""

    def __init__(self, seed: int, number: int) -> None:
        self.rng = np.random.default_rng((seed, number))

    def below(self, stop: int) -> int:
        return int(self.rng.integers(stop)) if stop > 0 else 0

    def happens(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, items: Sequence[Item]) -> Item:
        return items[self.below(len(items))]

    def number(self) -> float:
        return self.pick((*NUMBERS, *NOT_FINITE))

    def value(self, depth: int = 0) -> Any:
        """Give any value that JSON or YAML may hold where another was expected."""
        kind = self.below(7 if depth < 3 else 4)
        if kind < 3:
            return (self.number(), self.pick(WORDS), self.pick((None, True, False)))[kind]
        if kind == 3:
            return self.below(10 ** self.below(12))
        if kind < 6:
            return [self.value(depth + 1) for _ in range(self.below(4))]
        return {self.pick(WORDS): self.value(depth + 1) for _ in range(self.below(4))}

    def damage(self, content: bytes, other: bytes = b"") -> bytes:
        """Change, cut, double or exchange some bytes; `other` is spliced in now and then."""
        damaged = bytearray(content)
        for _ in range(1 + self.below(4)):
            self._damage_once(damaged, other or content)
        return bytes(damaged)

    def _damage_once(self, damaged: bytearray, other: bytes) -> None:
        # the head is where formats keep what matters
        length = len(damaged)
        start = self.below(min(length, 600) if self.happens(0.6) else length)
        stop = start + 1 + self.below(2 ** self.below(10))
        kind = self.below(7)
        if kind == 0:
            damaged[start:stop] = b""
        elif kind == 1:
            damaged[start:start] = other[start:stop]
        elif kind == 2 and self.happens(0.5):
            del damaged[start:]
        elif kind == 3:
            damaged[start : start + 4] = self.pick(
                (b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0")
            )
        elif kind == 4:
            damaged[start:start] = self.pick(WORDS).encode("utf-8", "surrogateescape")
        else:
            for place in range(start, min(length, start + 1 + self.below(3))):
                damaged[place] ^= 1 << self.below(8)

    def damage_text(self, text: str) -> str:
        """Damage text so that it stays text: words put in, taken out, doubled and exchanged."""
        pieces = [piece for piece in _split(text) if piece]
        for _ in range(1 + self.below(4)):
            place = self.below(len(pieces))
            kind = self.below(5)
            if kind == 0:
                pieces[place : place + 1 + self.below(5)] = []
            elif kind == 1:
                pieces[place:place] = [self.pick(WORDS)]
            elif kind == 2 and pieces:
                pieces[place:place] = pieces[place : place + 1 + self.below(20)]
            elif kind == 3 and pieces:
                other = self.below(len(pieces))
                pieces[place], pieces[other] = pieces[other], pieces[place]
            else:
                pieces[place : place + 1] = [self.pick(WORDS)]
        return "".join(pieces)

    def damage_tree(self, tree: Any) -> Any:
        """Exchange one value somewhere in nested dicts and lists, or a key."""
        if isinstance(tree, dict) and tree and not self.happens(0.1):
            key = self.pick(list(tree))
            if self.happens(0.1):
                return {(self.pick(WORDS) if name == key else name): value for name, value in tree.items()}
            if self.happens(0.1):
                return {name: value for name, value in tree.items() if name != key}
            return {**tree, key: self.damage_tree(tree[key])}
        if isinstance(tree, list) and tree and not self.happens(0.1):
            place = self.below(len(tree))
            return [*tree[:place], self.damage_tree(tree[place]), *tree[place + 1 :]]
        return self.value()


def _split(text: str) -> list[str]:
    """Split text at its seams, which stay."""
    pieces, piece = [], ""
    for letter in text:
        if letter.isalnum():
            piece += letter
        else:
            pieces += [piece, letter]
            piece = ""
    return [*pieces, piece]
