"""From lifetimes to offsets in one block of memory: tensors that never live together may share bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

ALIGNMENT = 64  # a cache line, and the widest vector
MOST_COMPARISONS = 20_000_000  # of two blocks, a few seconds; real models of 5000 nodes take a hundredth
WORTH_COMPARING = 4_000_000  # by the orders after the first, a second at most
AT_ONCE = 64  # comparisons of lifetimes that NumPy does in the time of one


class Block(NamedTuple):
    """Memory needed from step `first` to step `last`, both included. size in bytes."""

    size: int
    first: int
    last: int

    @property
    def life(self) -> int:
        return self.last - self.first + 1


# Who is first to choose its memory. None of these is the best for all models, and each is for some.
ORDERS: tuple[Callable[[Block], tuple[int, ...]], ...] = (
    lambda block: (-block.size,),
    lambda block: (block.first, -block.size),
    lambda block: (-block.size * block.life,),
    lambda block: (-block.size, -block.life),
    lambda block: (-block.life, -block.size),
)


def place(blocks: Sequence[Block]) -> tuple[list[int], int]:
    """An offset for each block, so that blocks that live at one step do not overlap; and the bytes of the whole.

    The best of several orders, as far as that many blocks leave time to try them.

    >>> place([Block(64, 0, 1), Block(100, 1, 2), Block(64, 2, 3)])
    ([128, 0, 128], 192)
    """
    found, least = place_in_order(blocks, _sorted(blocks, ORDERS[0])), most_alive(blocks)
    comparisons = _comparisons(blocks)
    for i, order in enumerate(ORDERS[1:], 1):
        if found[1] == least or i * comparisons > WORTH_COMPARING:
            break
        found = min(found, place_in_order(blocks, _sorted(blocks, order)), key=lambda placed: placed[1])
    return found


def place_in_order(
    blocks: Sequence[Block],
    order: Sequence[int],
    alignment: int = ALIGNMENT,
    fixed: Mapping[int, int] = MappingProxyType({}),
) -> tuple[list[int], int]:
    """As `place`: each block in turn at the lowest gap that holds it; after MOST_COMPARISONS, on top of all.

    order: the blocks' indices. fixed: the offsets of blocks that do not choose, which should come first.
    """
    _, first, last = np.array(blocks, np.int64).reshape(-1, 3).T
    placed = np.zeros(len(blocks), bool)
    spans_of = [(0, 0)] * len(blocks)
    comparisons = top = 0
    for i in order:
        size, begin, until = blocks[i]
        size, offset = -(-size // alignment) * alignment, fixed.get(i, 0)
        if comparisons > MOST_COMPARISONS and i not in fixed:
            offset = top
        elif size and i not in fixed:
            beside = np.flatnonzero(placed & (first <= until) & (last >= begin)).tolist()
            spans = sorted([spans_of[j] for j in beside])
            for start, end in spans:
                if offset + size <= start:
                    break
                offset = max(offset, end)
            comparisons += len(blocks) // AT_ONCE + len(spans)
        spans_of[i], placed[i] = (offset, offset + size), size > 0
        top = max(top, offset + size)
    return [start for start, _ in spans_of], top


def most_alive(blocks: Sequence[Block], alignment: int = ALIGNMENT) -> int:
    """The bytes of the blocks that live at one step, at most: no arena is smaller.

    >>> most_alive([Block(64, 0, 1), Block(100, 1, 2), Block(64, 2, 3)])
    192
    """
    changes: dict[int, int] = {}
    for size, first, last in blocks:
        size = -(-size // alignment) * alignment
        changes[first] = changes.get(first, 0) + size
        changes[last + 1] = changes.get(last + 1, 0) - size
    alive = most = 0
    for step in sorted(changes):
        alive += changes[step]
        most = max(most, alive)
    return most


def _comparisons(blocks: Sequence[Block]) -> int:
    """What one order takes: for each block those of all lifetimes, and those of the offsets that live beside it."""
    _, first, last = np.array(blocks, np.int64).reshape(-1, 3).T
    begun = np.searchsorted(np.sort(first), last, "right")
    ended = np.searchsorted(np.sort(last), first, "left")
    return len(blocks) ** 2 // AT_ONCE + int((begun - ended).sum()) // 2


def _sorted(blocks: Sequence[Block], order: Callable[[Block], tuple[int, ...]]) -> list[int]:
    return sorted(range(len(blocks)), key=lambda i: order(blocks[i]))
