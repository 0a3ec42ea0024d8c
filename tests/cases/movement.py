"""Rows of the operators that only move, pick, repeat or make elements."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from cases.case import Case, Value

Q = {"int8": (0.05, -7), "uint8": (0.05, 120), "int16": (0.0003, 0)}
TYPES = ("float32", "int8", "uint8", "int16", "int32", "int64", "bool")
NEWER = ("ai-edge-litert",)

# Types that the reference kernels of tflite-runtime 2.14 do not take, and those that neither runtime takes.
OLD_LACKS: dict[str, tuple[str, ...]] = {
    "SPLIT": ("int64",),
    "TILE": ("int16",),
    "SPACE_TO_BATCH_ND": ("bool",),
    "BATCH_TO_SPACE_ND": ("bool",),
    "GATHER_ND": ("bool",),
}
BOTH_LACK: dict[str, tuple[str, ...]] = {
    "SPLIT": ("bool",),
    "SPLIT_V": ("bool",),
    "PACK": ("bool",),
    "UNPACK": ("int64",),
    "SPACE_TO_DEPTH": ("int16", "bool"),
    "DEPTH_TO_SPACE": ("int16", "bool"),
}


def value(dtype: str, *shape: int) -> Value:
    scale, zero_point = Q.get(dtype, (None, 0))
    return Value(shape, dtype, scale, zero_point, low=-900 if dtype == "int32" else None)


def scalar_of(dtype: str) -> Value:
    scale, zero_point = Q.get(dtype, (None, 0))
    return Value((), dtype, scale, zero_point)


def index(data: Any, dtype: str = "int32") -> Value:
    array = np.array(data, dtype)
    return Value(array.shape, dtype, constant=array)


def rows(op: str, types: tuple[str, ...], configurations: list[tuple[Any, ...]], name: str = "") -> Iterator[Case]:
    """configurations: options, then inputs; a tuple is the shape of a value, a list holds indices."""
    for dtype in (t for t in types if t not in BOTH_LACK.get(op, ())):
        oracles = NEWER if dtype in OLD_LACKS.get(op, ()) else Case.oracles
        for i, (options, *given) in enumerate(configurations):
            inputs = tuple(
                index(g) if isinstance(g, list) else value(dtype, *g) if isinstance(g, tuple) else g for g in given
            )
            outputs = scalar_of(dtype)
            more = options.get("outputs", 1) - 1
            kept = {k: v for k, v in options.items() if k != "outputs"}
            yield Case(f"{op.lower()}-{dtype}-{name}{i}", op, inputs, outputs, kept, 0.0, oracles, (outputs,) * more)


def random_slices(rng: np.random.Generator, count: int) -> Iterator[tuple[Any, ...]]:
    for _ in range(count):
        shape = tuple(int(n) for n in rng.integers(1, 6, rng.integers(1, 5)))
        begin = [int(rng.integers(0, n)) for n in shape]
        size = [
            int(rng.integers(1, n - b + 1)) if rng.random() < 0.7 else -1 for n, b in zip(shape, begin, strict=True)
        ]
        yield {}, shape, begin, size


def random_strided(rng: np.random.Generator, count: int) -> Iterator[tuple[Any, ...]]:
    made = 0
    while made < count:
        shape = tuple(int(n) for n in rng.integers(1, 6, rng.integers(1, 5)))
        masks = {
            f"{name}_mask": int(rng.integers(0, 1 << len(shape))) if rng.random() < 0.6 else 0
            for name in ("begin", "end")
        }
        shrink = int(rng.integers(0, 1 << len(shape))) if rng.random() < 0.3 else 0
        begin = [int(rng.integers(-n, n)) for n in shape]
        end = [int(rng.integers(-n - 1, n + 2)) for n in shape]
        strides = [1 if shrink >> i & 1 else int(rng.choice([1, 1, 2, 3, -1, -2])) for i in range(len(shape))]
        masks["begin_mask"] &= ~shrink
        parts = [
            slice(None if masks["begin_mask"] >> i & 1 else b, None if masks["end_mask"] >> i & 1 else e, s)
            for i, (b, e, s) in enumerate(zip(begin, end, strides, strict=True))
        ]
        if all(shrink >> i & 1 or len(range(n)[part]) for i, (n, part) in enumerate(zip(shape, parts, strict=True))):
            made += 1
            yield {**masks, "shrink_axis_mask": shrink}, shape, begin, end, strides


def random_orders(rng: np.random.Generator, count: int) -> Iterator[tuple[Any, ...]]:
    for _ in range(count):
        rank = int(rng.integers(1, 6))
        yield {}, tuple(int(n) for n in rng.integers(1, 5, rank)), rng.permutation(rank).tolist()


def small(rng: np.random.Generator, low: int = 1, high: int = 4, most: int = 5) -> tuple[int, ...]:
    """A shape of rank low..high with sizes 1..most."""
    return tuple(int(n) for n in rng.integers(1, most + 1, rng.integers(low, high + 1)))


def axis_in(rng: np.random.Generator, rank: int) -> int:
    return int(rng.integers(-rank, rank))


def random_split(rng: np.random.Generator) -> tuple[Any, ...]:
    shape, n = list(small(rng)), int(rng.integers(1, 5))
    axis = axis_in(rng, len(shape))
    shape[axis] = n * int(rng.integers(1, 4))
    return {"num_splits": n, "outputs": n}, [axis], tuple(shape)


def random_sizes(rng: np.random.Generator) -> tuple[Any, ...]:
    shape, sizes = list(small(rng)), [int(n) for n in rng.integers(1, 4, rng.integers(1, 5))]
    axis = axis_in(rng, len(shape))
    shape[axis] = sum(sizes)
    if rng.random() < 0.5:
        sizes[int(rng.integers(0, len(sizes)))] = -1
    return {"num_splits": len(sizes), "outputs": len(sizes)}, tuple(shape), sizes, [axis]


def random_pack(rng: np.random.Generator) -> tuple[Any, ...]:
    shape, n = small(rng, high=3), int(rng.integers(1, 5))
    return {"axis": axis_in(rng, len(shape) + 1), "values_count": n}, *[shape] * n


def random_unpack(rng: np.random.Generator) -> tuple[Any, ...]:
    shape = small(rng)
    axis = axis_in(rng, len(shape))
    return {"axis": axis, "num": shape[axis], "outputs": shape[axis]}, shape


def random_expand(rng: np.random.Generator) -> tuple[Any, ...]:
    shape = small(rng)
    return {}, shape, [axis_in(rng, len(shape) + 1)]


def random_tile(rng: np.random.Generator) -> tuple[Any, ...]:
    shape = small(rng)
    return {}, shape, [int(n) for n in rng.integers(1, 4, len(shape))]


def random_broadcast(rng: np.random.Generator) -> tuple[Any, ...]:
    target = small(rng)
    shape = tuple(n if rng.random() < 0.5 else 1 for n in target[int(rng.integers(0, len(target))) :])
    return {}, shape, list(target)


def random_reverse(rng: np.random.Generator) -> tuple[Any, ...]:
    shape = small(rng)
    return {}, shape, [axis_in(rng, len(shape))]


def random_to_depth(rng: np.random.Generator) -> tuple[Any, ...]:
    size = int(rng.integers(1, 4))
    n, h, w, c = (int(k) for k in rng.integers(1, 4, 4))
    return {"block_size": size}, (n, h * size, w * size, c)


def random_to_space(rng: np.random.Generator) -> tuple[Any, ...]:
    size = int(rng.integers(1, 4))
    n, h, w, c = (int(k) for k in rng.integers(1, 4, 4))
    return {"block_size": size}, (n, h, w, c * size * size)


def random_to_batch(rng: np.random.Generator) -> tuple[Any, ...]:
    rank = int(rng.integers(1, 3))
    block, before = rng.integers(1, 4, rank), rng.integers(0, 3, rank)
    inner = block * rng.integers(1, 4, rank)
    before = np.minimum(before, inner - 1)
    shape = (int(rng.integers(1, 3)), *(int(n) for n in inner - before), int(rng.integers(1, 3)))
    return {}, shape, block.tolist(), [[int(n), 0] for n in before]


def random_from_batch(rng: np.random.Generator) -> tuple[Any, ...]:
    rank = int(rng.integers(1, 3))
    block = rng.integers(1, 4, rank)
    inner = rng.integers(1, 4, rank)
    crops = [[int(rng.integers(0, (n + 1) // 2)), int(rng.integers(0, (n + 1) // 2))] for n in block * inner]
    shape = (int(block.prod()) * int(rng.integers(1, 3)), *(int(n) for n in inner), int(rng.integers(1, 3)))
    return {}, shape, block.tolist(), crops


def random_gather(rng: np.random.Generator) -> tuple[Any, ...]:
    shape = small(rng)
    axis = axis_in(rng, len(shape))
    return {"axis": axis}, shape, rng.integers(0, shape[axis], small(rng, high=2)).tolist()


def random_gather_nd(rng: np.random.Generator) -> tuple[Any, ...]:
    shape = small(rng)
    depth = int(rng.integers(1, len(shape) + 1))
    return {}, shape, rng.integers(0, shape[:depth], (*small(rng, high=2), depth)).tolist()


def many(made: Callable[[np.random.Generator], tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(1)
    return [made(rng) for _ in range(20)]


RNG = np.random.default_rng(0)
SLICES = list(random_slices(RNG, 20))
STRIDED = [
    *random_strided(RNG, 24),
    ({"ellipsis_mask": 2}, (3, 4, 2), [1, 0, 0], [3, 0, 1], [1, 1, 1]),
    ({"new_axis_mask": 1}, (3, 4), [0, 1], [0, 3], [1, 1]),
    ({"new_axis_mask": 2, "shrink_axis_mask": 1}, (3, 4), [2, 0, 1], [0, 0, 4], [1, 1, 2]),
    ({"offset": True}, (5, 4), [1, 0], [3, 2], [1, 1]),
]
BATCHED_GATHERS = [
    ({"axis": 1, "batch_dims": 1}, (2, 4), [[0, 3], [1, 1]]),
    ({"axis": 2, "batch_dims": 1}, (2, 3, 4), [[1], [2]]),
    ({"axis": 2, "batch_dims": 2}, (2, 2, 3), [[0, 2], [1, 1]]),
    ({"axis": 1, "batch_dims": -1}, (2, 4), [[0, 3], [1, 1]]),
]
FIVE, SIX = (2, 3, 2, 4, 3), (2, 1, 3, 2, 1, 2)
NOTHING = Value((0,), "int32", constant=np.zeros(0, np.int32))
# five axes and more, scalars, nothing to take or to take it from, all of it, blocks and strides past the ends
EDGES: dict[str, list[tuple[Any, ...]]] = {
    "SLICE": [
        ({}, FIVE, [1, 0, 0, 2, 1], [1, -1, 2, 1, 2]),
        ({}, (3, 4), [1, 2], [0, 2]),
        ({}, (3, 4), [3, 0], [-1, 4]),
        ({}, (0, 4), [0, 1], [0, 2]),
    ],
    "STRIDED_SLICE": [
        ({"begin_mask": 1, "end_mask": 20}, FIVE, [1, -1, 0, 3, -1], [2, -4, 2, 0, 0], [1, -2, 1, -1, -1]),
        ({}, (5, 4), [3, 0], [3, 4], [1, 1]),
        ({"shrink_axis_mask": 3}, (5, 4), [-1, -4], [0, 0], [1, 1]),
        ({}, (5, 4), [-9, 9], [9, -9], [7, -3]),
        ({}, (0, 4), [0, 0], [0, 4], [1, 2]),
        ({"ellipsis_mask": 2, "new_axis_mask": 4}, (3, 4, 2), [1, 0, 0, 0], [3, 0, 0, 2], [2, 1, 1, 1]),
    ],
    "SPLIT": [
        ({"num_splits": 2, "outputs": 2}, [-2], FIVE),
        ({"num_splits": 3, "outputs": 3}, [2], SIX),
        ({"num_splits": 1, "outputs": 1}, [0], (3,)),
        ({"num_splits": 2, "outputs": 2}, [1], (0, 4)),
    ],
    "SPLIT_V": [
        ({"num_splits": 2, "outputs": 2}, FIVE, [3, 1], [-2]),
        ({"num_splits": 2, "outputs": 2}, SIX, [1, -1], [2]),
        ({"num_splits": 3, "outputs": 3}, (4, 2), [0, 4, 0], [0]),
    ],
    "PACK": [
        ({"axis": 0, "values_count": 3}, (), (), ()),
        ({"axis": -1, "values_count": 2}, FIVE, FIVE),
        ({"axis": 5, "values_count": 1}, FIVE),
        ({"axis": 1, "values_count": 2}, (2, 0), (2, 0)),
    ],
    "UNPACK": [
        ({"axis": 0, "num": 3, "outputs": 3}, (3,)),
        ({"axis": -2, "num": 4, "outputs": 4}, FIVE),
        ({"axis": 3, "num": 2, "outputs": 2}, SIX),
    ],
    "TRANSPOSE": [({}, SIX, [5, 3, 0, 2, 1, 4]), ({}, (2, 0, 3), [2, 0, 1]), ({}, (1, 3, 1, 2), [0, 3, 2, 1])],
    "EXPAND_DIMS": [({}, (), [0]), ({}, (), [-1]), ({}, FIVE, [-6]), ({}, (2, 0), [1])],
    "TILE": [
        ({}, FIVE, [1, 2, 1, 1, 2]),
        ({}, (2, 1, 3, 2, 1, 2, 2), [1, 2, 1, 1, 3, 1, 1]),
        ({}, (2, 3), [0, 2]),
        ({}, (2, 0), [2, 3]),
    ],
    "BROADCAST_TO": [
        ({}, (), [2, 3]),
        ({}, (1,), [2, 1, 2, 3, 2]),
        ({}, (2, 1, 1, 3), [2, 1, 2, 1, 2, 1, 2, 3]),
        ({}, (1, 3), [0, 3]),
        ({}, (), [1]),
    ],
    "REVERSE_V2": [({}, FIVE, [-2]), ({}, SIX, [2]), ({}, (0, 3), [1]), ({}, (1,), [0])],
    "SPACE_TO_DEPTH": [({"block_size": 4}, (2, 4, 8, 3)), ({"block_size": 1}, (1, 3, 5, 2))],
    "DEPTH_TO_SPACE": [({"block_size": 4}, (2, 1, 3, 32)), ({"block_size": 1}, (1, 3, 5, 2))],
    "SPACE_TO_BATCH_ND": [
        ({}, (2, 5, 3, 1), [3, 2], [[2, 2], [1, 0]]),
        ({}, (3, 4, 2), [1], [[0, 0]]),
        ({}, (1, 3, 5), [4], [[0, 1]]),
    ],
    "BATCH_TO_SPACE_ND": [
        ({}, (6, 3, 2, 1), [3, 2], [[2, 2], [1, 0]]),
        ({}, (3, 4, 2), [1], [[0, 0]]),
        ({}, (4, 1, 5), [4], [[0, 3]]),
    ],
    "GATHER": [
        ({"axis": -2}, FIVE, [1, 0, 3, 3]),
        ({"axis": 3}, SIX, [1]),
        ({"axis": 1, "batch_dims": 1}, FIVE, [[2, 0], [1, 1]]),
        ({"axis": 0}, (4,), index(2)),
        ({"axis": 1}, (2, 3, 2), index(1)),
        ({"axis": 0}, (3, 2), NOTHING),
    ],
    "GATHER_ND": [
        ({}, FIVE, [[1, 0, 1, 2, 0], [0, 2, 1, 3, 2]]),
        ({}, SIX, [[1, 0], [0, 0]]),
        ({}, (4,), [[3]]),
        ({}, (3, 2), index(np.zeros((0, 1)))),
    ],
}
# which tflite-runtime refuses for their axes
MORE_AXES: dict[str, list[tuple[Any, ...]]] = {
    "SLICE": [({}, SIX, [1, 0, 1, 0, 0, 1], [1, 1, 2, -1, 1, 1])],
    "STRIDED_SLICE": [({}, SIX, [0] * 6, [2, 1, 3, 2, 1, 2], [1, 1, 2, 1, 1, 1])],
    "TRANSPOSE": [({}, (*SIX, 2), [6, 5, 3, 0, 2, 1, 4])],
}
PERMUTED = list(random_orders(RNG, 20))

CASES = [
    *rows("SLICE", TYPES, SLICES),
    *rows("STRIDED_SLICE", TYPES, STRIDED),
    *rows("SPLIT", TYPES, many(random_split)),
    *rows("SPLIT_V", TYPES, many(random_sizes)),
    *rows("PACK", TYPES, many(random_pack)),
    *rows("UNPACK", TYPES, many(random_unpack)),
    *rows("TRANSPOSE", TYPES, PERMUTED),
    *rows("EXPAND_DIMS", TYPES, many(random_expand)),
    *rows("TILE", TYPES, many(random_tile)),
    *rows("BROADCAST_TO", TYPES, many(random_broadcast)),
    *rows("REVERSE_V2", TYPES, many(random_reverse)),
    *(
        replace(case, id=f"{case.id}-axes", oracles=NEWER)  # 2.14 takes one axis
        for case in rows("REVERSE_V2", ("float32", "int8"), [({}, (2, 3, 4), [0, 1]), ({}, (2, 3, 4), [1, -3, 2])])
    ),
    *rows("SPACE_TO_DEPTH", TYPES, many(random_to_depth)),
    *rows("DEPTH_TO_SPACE", TYPES, many(random_to_space)),
    *rows("SPACE_TO_BATCH_ND", TYPES, many(random_to_batch)),
    *rows("BATCH_TO_SPACE_ND", TYPES, many(random_from_batch)),
    *rows("GATHER", TYPES, [*many(random_gather), *BATCHED_GATHERS]),
    *rows("GATHER_ND", TYPES, many(random_gather_nd)),
    *(case for op, edges in EDGES.items() for case in rows(op, TYPES, edges, "edge_")),
    *(replace(case, oracles=NEWER) for op, axes in MORE_AXES.items() for case in rows(op, TYPES, axes, "axes_")),
]
