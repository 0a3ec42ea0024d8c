"""Which tensor has which bytes of an arena from when to when, as facts to print."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyquant.graph import Tensor
from pyquant.table import Column, lines, short


@dataclass(frozen=True, eq=False)
class Lifetime:
    """The memory of one tensor, from step `first` to step `last`, both included.

    An input that is there before the first step lives from -1. views: other tensors in that memory or in
    parts of it, at the same time, before or later.
    """

    tensor: Tensor
    bytes: int
    offset: int
    first: int
    last: int
    views: tuple[Tensor, ...] = ()


@dataclass(frozen=True, eq=False)
class Timeline:
    """An arena over the steps of a run. `print(timeline)` shows it; iterating gives its lifetimes, by first step.

    least_bytes: those alive at one step at most, so that no planner needs less.
    """

    planner: str
    arena_bytes: int
    least_bytes: int
    lifetimes: tuple[Lifetime, ...]

    def __iter__(self) -> Iterator[Lifetime]:
        return iter(self.lifetimes)

    def __len__(self) -> int:
        return len(self.lifetimes)

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """A table, in at most `width` characters where that can be."""
        rows = [
            [short(life.tensor.name), *map(str, (life.bytes, life.offset, life.first, life.last)), _names(life.views)]
            for life in self
        ]
        end = f"{self.planner}: arena {self.arena_bytes} bytes; at one step {self.least_bytes} bytes are in use at most"
        return "\n".join([*lines(COLUMNS, rows, width), end])

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "planner": self.planner,
            "arena_bytes": self.arena_bytes,
            "least_bytes": self.least_bytes,
            "tensors": [
                {
                    "name": life.tensor.name,
                    "bytes": life.bytes,
                    "offset": life.offset,
                    "first": life.first,
                    "last": life.last,
                    "views": [t.name for t in life.views],
                }
                for life in self
            ],
        }


COLUMNS = [
    Column("tensor", cut=True),
    *(Column(name, number=True) for name in ("bytes", "offset", "first", "last")),
    Column("same memory", rank=1, cut=True),
]


def _names(tensors: tuple[Tensor, ...]) -> str:
    return ", ".join(short(t.name) for t in tensors)
