"""From lifetimes to offsets in one block of memory: tensors that never live together may share bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

ALIGNMENT = 64  # a cache line, and the widest vector


class Block(NamedTuple):
    """Memory needed from step `first` to step `last`, both included. size in bytes."""

    size: int
    first: int
    last: int


def place(blocks: Sequence[Block]) -> tuple[list[int], int]:
    """An offset for each block, so that blocks that live at one step do not overlap; and the bytes of the whole.

    The largest first, each at the lowest gap that holds it.

    >>> place([Block(64, 0, 1), Block(100, 1, 2), Block(64, 2, 3)])
    ([128, 0, 128], 192)
    """
    offsets = [0] * len(blocks)
    placed: list[tuple[int, int, Block]] = []  # (offset, end, block) of what has memory, by offset
    for i in sorted(range(len(blocks)), key=lambda i: -blocks[i].size):
        block = blocks[i]
        offset = 0
        for start, end, other in placed:
            if other.last < block.first or block.last < other.first:
                continue
            if offset + block.size <= start:
                break
            offset = max(offset, end)
        offsets[i] = offset
        if block.size:
            placed.append((offset, _aligned(offset + block.size), block))
            placed.sort(key=lambda p: p[0])
    return offsets, max((end for _, end, _ in placed), default=0)


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT
