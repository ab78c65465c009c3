"""Mutations of bytes: flips, cuts, copies, zeros, and numbers that overflow."""

from __future__ import annotations

from typing import Literal

import numpy as np

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF)


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """One to four mutations of the content, at places that favour both ends, where formats keep their directories."""
    for _ in range(int(rng.integers(1, 5))):
        content = MUTATIONS[int(rng.integers(len(MUTATIONS)))](content, rng) if content else content
    return content


def _place(size: int, rng: np.random.Generator) -> int:
    """A position: anywhere, or near the start or the end, at all scales."""
    near = int(size ** rng.uniform()) - 1
    return int((rng.integers(size), near, size - 1 - near)[int(rng.integers(3))])


def _flip(content: bytes, rng: np.random.Generator) -> bytes:
    spoilt = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        spoilt[_place(len(content), rng)] ^= 1 << int(rng.integers(8))
    return bytes(spoilt)


def _random(content: bytes, rng: np.random.Generator) -> bytes:
    start, length = _place(len(content), rng), int(rng.integers(1, 17))
    return content[:start] + rng.bytes(length) + content[start + length :]


def _number(content: bytes, rng: np.random.Generator) -> bytes:
    start, width = _place(len(content), rng), int(rng.choice([1, 2, 4, 8]))
    value = int(rng.choice(np.array(_NUMBERS, dtype=np.uint64))) & ((1 << 8 * width) - 1)
    order: Literal["big", "little"] = "big" if rng.choice(2) == 0 else "little"
    return content[:start] + value.to_bytes(width, order) + content[start + width :]


def _truncate(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: _place(len(content), rng)]


def _zero(content: bytes, rng: np.random.Generator) -> bytes:
    start, length = _place(len(content), rng), int(rng.integers(1, 513))
    return content[:start] + bytes(len(content[start : start + length])) + content[start + length :]


def _remove(content: bytes, rng: np.random.Generator) -> bytes:
    start = _place(len(content), rng)
    return content[:start] + content[start + int(rng.integers(1, 257)) :]


def _duplicate(content: bytes, rng: np.random.Generator) -> bytes:
    start = _place(len(content), rng)
    return content[:start] + content[start : start + int(rng.integers(1, 257))] + content[start:]


def _splice(content: bytes, rng: np.random.Generator) -> bytes:
    """A piece from elsewhere in the place of what was there."""
    start, source, length = _place(len(content), rng), _place(len(content), rng), int(rng.integers(1, 257))
    piece = content[source : source + length]
    return content[:start] + piece + content[start + len(piece) :]


MUTATIONS = (_flip, _random, _number, _truncate, _zero, _remove, _duplicate, _splice)
