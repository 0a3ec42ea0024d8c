"""Rows of operators on strings."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cases.case import Case, Value
from cases.movement import (
    SLICES,
    STRIDED,
    index,
    many,
    random_expand,
    random_gather_nd,
    random_tile,
    rows,
    small,
)

RNG = np.random.default_rng(12)
STRINGS = ("string",)
WORDS = np.array([[b"", b"a"], [b"\0", "\u00e9".encode()], [b"\xff\0", b"a\0"]], object)


def random_gather(rng: np.random.Generator) -> tuple[object, ...]:
    """Of one dimension, as TFLite's kernel of strings takes no more."""
    size = int(rng.integers(1, 6))
    return {}, (size,), rng.integers(0, size, small(rng, high=3)).tolist()


def random_reshape(rng: np.random.Generator) -> tuple[object, ...]:
    shape = small(rng)
    return {}, shape, rng.permutation([*shape, 1]).tolist()


def random_squeeze(rng: np.random.Generator) -> tuple[object, ...]:
    shape = [n if rng.random() < 0.5 else 1 for n in small(rng)]
    return {"squeeze_dims": [i for i, n in enumerate(shape) if n == 1 and rng.random() < 0.5]}, tuple(shape)


def text(*shape: int) -> Value:
    return Value(shape, "string")


def comparisons() -> Iterator[Case]:
    truth = Value((), "bool")
    for op in ("EQUAL", "NOT_EQUAL"):
        for i in range(20):
            shape = small(RNG)
            other = tuple(n if i % 2 or RNG.random() < 0.5 else 1 for n in shape)
            yield Case(f"{op.lower()}-string-{i}", op, (text(*shape), text(*other)), truth)
        yield Case(f"{op.lower()}-string-constant", op, (text(3, 2), Value((3, 2), "string", constant=WORDS)), truth)
        yield Case(f"{op.lower()}-string-scalar", op, (text(3, 2), replace(text(), constant=True)), truth)


def others() -> Iterator[Case]:
    for i in range(20):
        shape, scalar = small(RNG), replace(text(), constant=True)  # as neither runtime takes one from a caller
        yield Case(f"fill-string-{i}", "FILL", (index(list(shape)), scalar), text())
        yield Case(f"shape-string-{i}", "SHAPE", (text(*shape),), Value((), "int32"), {"out_type": "INT32"})
        yield Case(f"rank-string-{i}", "RANK", (text(*shape),), Value((), "int32"))


CASES = [
    *rows("RESHAPE", STRINGS, [*many(random_reshape), ({}, (2, 3), [-1])]),
    *rows("SQUEEZE", STRINGS, many(random_squeeze)),
    *rows("EXPAND_DIMS", STRINGS, many(random_expand)),
    *rows("GATHER", STRINGS, [*many(random_gather), ({}, (4,), index(2))]),
    *rows("GATHER_ND", STRINGS, many(random_gather_nd)),
    *rows("TILE", STRINGS, many(random_tile)),
    *rows("SLICE", STRINGS, SLICES),
    *rows("STRIDED_SLICE", STRINGS, STRIDED),
    *comparisons(),
    *others(),
]
