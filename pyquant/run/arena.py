"""From lifetimes to offsets in one block of memory: tensors that never live together may share bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from pyquant import native

ALIGNMENT = 64  # a cache line, and the widest vector
MOST_COMPARISONS = 20_000_000  # of two blocks, less than a second; real models of 5000 nodes take a hundredth
WORTH_COMPARING = 4_000_000  # by the orders after the first, a fraction of that
AT_ONCE = 64  # blocks of other times that are passed over in the time of one comparison


class Block(NamedTuple):
    """Memory needed from step `first` to step `last`, both included. size in bytes."""

    size: int
    first: int
    last: int

    @property
    def life(self) -> int:
        return self.last - self.first + 1


Order = Callable[[Sequence[Block]], Sequence[tuple[int, ...]]]


def _by(key: Callable[[Block], tuple[int, ...]]) -> Order:
    return lambda blocks: [key(block) for block in blocks]


# Who is first to choose its memory: the blocks' keys. None is the best for all models, and each is for some.
ORDERS: tuple[Order, ...] = (
    _by(lambda block: (-block.size,)),
    _by(lambda block: (block.first, -block.size)),
    _by(lambda block: (block.first, -block.last)),
    _by(lambda block: (-block.size * block.life,)),
    _by(lambda block: (-block.size, -block.life)),
    _by(lambda block: (-block.life, -block.size)),
    lambda blocks: [(-crowd, block.first) for crowd, block in zip(crowds(blocks), blocks, strict=True)],
)


def place(blocks: Sequence[Block], least: int | None = None) -> tuple[list[int], int]:
    """An offset for each block, so that blocks that live at one step do not overlap; and the bytes of the whole.

    The best of several orders, as far as that many blocks leave time to try them. least: their `most_alive`.

    >>> place([Block(64, 0, 1), Block(100, 1, 2), Block(64, 2, 3)])
    ([128, 0, 128], 192)
    """
    found = place_in_order(blocks, in_order(blocks, ORDERS[0]))
    least = most_alive(blocks) if least is None else least
    comparisons = _comparisons(blocks) if found[1] > least else 0
    for i, order in enumerate(ORDERS[1:], 1):
        if found[1] == least or i * comparisons > WORTH_COMPARING:
            break
        found = min(found, place_in_order(blocks, in_order(blocks, order)), key=lambda placed: placed[1])
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
    return native.place_in_order(blocks, order, alignment, MOST_COMPARISONS, fixed)


def most_alive(blocks: Sequence[Block], alignment: int = ALIGNMENT) -> int:
    """The bytes of the blocks that live at one step, at most: no arena is smaller.

    >>> most_alive([Block(64, 0, 1), Block(100, 1, 2), Block(64, 2, 3)])
    192
    """
    return max(_alive(blocks, alignment).values(), default=0)


def in_order(blocks: Sequence[Block], order: Order) -> list[int]:
    """The blocks' indices, as ORDERS say."""
    return sorted(range(len(blocks)), key=order(blocks).__getitem__)


def crowds(blocks: Sequence[Block]) -> list[int]:
    """For each block the bytes of all that live at one of its steps, at most.

    >>> crowds([Block(64, 0, 1), Block(100, 1, 2), Block(64, 3, 3)])
    [192, 192, 64]
    """
    alive = _alive(blocks, ALIGNMENT)
    place = {step: i for i, step in enumerate(alive)}
    totals = np.array([*alive.values()], np.int64)
    return [int(totals[place[first] : place[last + 1]].max(initial=0)) for _, first, last in blocks]


def _alive(blocks: Sequence[Block], alignment: int) -> dict[int, int]:
    """The bytes that live from each step on at which some begin, or have ended before."""
    changes: dict[int, int] = {}
    for size, first, last in blocks:
        size = -(-size // alignment) * alignment
        changes[first] = changes.get(first, 0) + size
        changes[last + 1] = changes.get(last + 1, 0) - size
    steps = sorted(changes)
    return dict(zip(steps, accumulate(changes[step] for step in steps), strict=True))


def _comparisons(blocks: Sequence[Block]) -> int:
    """What one order takes: for each block those of all lifetimes, and those of the offsets that live beside it."""
    _, first, last = np.array(blocks, np.int64).reshape(-1, 3).T
    begun = np.searchsorted(np.sort(first), last, "right")
    ended = np.searchsorted(np.sort(last), first, "left")
    return len(blocks) ** 2 // AT_ONCE + int((begun - ended).sum()) // 2
