"""From lifetimes to offsets in one block of memory: tensors that never live together may share bytes."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from typing import NamedTuple

ALIGNMENT = 64  # a cache line, and the widest vector
MOST_COMPARISONS = 20_000_000  # of two blocks, a second or two; real models of 5000 nodes take half


class Block(NamedTuple):
    """Memory needed from step `first` to step `last`, both included. size in bytes."""

    size: int
    first: int
    last: int


def place(blocks: Sequence[Block]) -> tuple[list[int], int]:
    """An offset for each block, so that blocks that live at one step do not overlap; and the bytes of the whole.

    The largest first, each at the lowest gap that holds it; where there are too many blocks for that, the rest on top.

    >>> place([Block(64, 0, 1), Block(100, 1, 2), Block(64, 2, 3)])
    ([128, 0, 128], 192)
    """
    offsets = [0] * len(blocks)
    placed: list[tuple[int, int, Block]] = []  # (offset, end, block) of what has memory, by offset
    comparisons, top = 0, 0
    for i in sorted(range(len(blocks)), key=lambda i: -blocks[i].size):
        block = blocks[i]
        comparisons += len(placed)
        offset = 0 if comparisons <= MOST_COMPARISONS else top
        for start, end, other in placed if comparisons <= MOST_COMPARISONS else ():
            if other.last < block.first or block.last < other.first:
                continue
            if offset + block.size <= start:
                break
            offset = max(offset, end)
        offsets[i] = offset
        if block.size:
            top = max(top, _aligned(offset + block.size))
            insort(placed, (offset, _aligned(offset + block.size), block))
    return offsets, top


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT
