"""From lifetimes to offsets in one block of memory: tensors that never live together may share bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

ALIGNMENT = 64  # a cache line, and the widest vector
MOST_BLOCKS = 20_000  # that look for a gap, which takes seconds; real models have 5000 nodes
WORTH_COMPARING = 100_000_000  # pairs of blocks that all orders after the first look at, a second at most


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
    for i, order in enumerate(ORDERS[1:], 1):
        if found[1] == least or i * len(blocks) ** 2 > WORTH_COMPARING:
            break
        found = min(found, place_in_order(blocks, _sorted(blocks, order)), key=lambda placed: placed[1])
    return found


def place_in_order(
    blocks: Sequence[Block],
    order: Sequence[int],
    alignment: int = ALIGNMENT,
    fixed: Mapping[int, int] = MappingProxyType({}),
) -> tuple[list[int], int]:
    """As `place`: each block in turn at the lowest gap that holds it; those past MOST_BLOCKS on top of all.

    order: the blocks' indices. fixed: the offsets of blocks that do not choose, which should come first.
    """
    sizes, first, last = np.array(blocks, np.int64).reshape(-1, 3).T
    sizes = -(-sizes // alignment) * alignment
    starts, placed, top = np.zeros_like(sizes), sizes < 0, 0
    for count, i in enumerate(order):
        if i in fixed:
            starts[i] = fixed[i]
        elif count >= MOST_BLOCKS:
            starts[i] = top
        elif sizes[i]:
            beside = np.flatnonzero(placed & (first <= last[i]) & (last >= first[i]))
            beside = beside[starts[beside].argsort()]
            free = np.maximum.accumulate(np.append(0, starts[beside] + sizes[beside]))  # above the first 0, 1, ...
            fits = np.append(starts[beside] - free[:-1] >= sizes[i], True)
            starts[i] = free[fits.argmax()]
        placed[i] = sizes[i] > 0
        top = max(top, int(starts[i] + sizes[i]))
    return starts.tolist(), top


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


def _sorted(blocks: Sequence[Block], order: Callable[[Block], tuple[int, ...]]) -> list[int]:
    return sorted(range(len(blocks)), key=lambda i: order(blocks[i]))
