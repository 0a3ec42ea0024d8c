"""Random rows of the operators whose other rows are picked by hand: 20 of each type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from cases import activation, softmax
from cases.case import Case, Value
from cases.depthwise import case as depthwise_conv
from cases.fully_connected import case as fully_connected
from cases.movement import NEWER, small

RNG = np.random.default_rng(23)
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
ENDS = {"int8": (-128, 127), "uint8": (0, 255)}
FLOAT, CODES, WHOLE = ("float32",), ("int8", "uint8", "int16"), ("int32", "int64")
Make = Callable[[str, int], Case]


def real(low: float, high: float) -> float:
    return float(np.float32(10 ** RNG.uniform(low, high)))


def zero_point(dtype: str, i: int) -> int:
    """Every fifth one is at an end of the type."""
    if dtype not in ENDS:
        return 0
    low, high = ENDS[dtype]
    return (low, high)[i // 5 % 2] if i % 5 == 0 else int(RNG.integers(low, high + 1))


def scaled(dtype: str, i: int, *shape: int, low: float = -3, high: float = -0.5, **more: Any) -> Value:
    """A tensor with a random scale, or none where the type has none."""
    if dtype not in CODES:
        return Value(shape, dtype, **({"low": -999, "high": 999} if dtype in WHOLE else {}), **more)
    finer = 2 if dtype == "int16" else 0
    return Value(shape, dtype, real(low - finer, high - finer), zero_point(dtype, i), **more)


def like(x: Value) -> Value:
    return Value((), x.dtype, x.scale, x.zero_point)


def twenty(kinds: tuple[str, ...], make: Make) -> Iterator[Case]:
    for kind in kinds:
        for i in range(20):
            yield make(kind, i)


def broadcast(i: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    shape = small(RNG)
    other = tuple(1 if RNG.random() < 0.3 else n for n in shape)[int(RNG.integers(0, len(shape))) * (i % 2) :]
    return (shape, other) if i % 3 else (other, shape)


def arithmetic(op: str) -> Make:
    def make(kind: str, i: int) -> Case:
        a, b = (scaled(kind, i + j, *s, low=-2, high=-1) for j, s in enumerate(broadcast(i)))
        y = scaled(kind, i + 2, low=-1.5, high=-0.5)
        options = {} if op == "MUL" else {"pot_scale_int16": False}
        return Case(
            f"{op.lower()}-{kind}-{i}", op, (a, b), y, {"fused_activation_function": ACTIVATIONS[i % 4], **options}
        )

    return make


def truth(op: str) -> Make:
    def make(kind: str, i: int) -> Case:
        a, b = broadcast(i)
        return Case(f"{op.lower()}-{kind}-{i}", op, (Value(a, kind), Value(b, kind)), Value((), "bool"))

    return make


def functions(op: str) -> Make:
    def make(kind: str, i: int) -> Case:
        x = scaled(kind, i, *small(RNG), high=0)
        if kind == "float32":
            return Case(f"{op.lower()}-{kind}-{i}", op, (Value(x.shape, low=-real(-1, 2), high=real(-1, 2)),))
        fixed = activation.FIXED.get(op, {}).get(kind)
        return Case(f"{op.lower()}-{kind}-{i}", op, (x,), Value((), kind, *fixed) if fixed else scaled(kind, i + 1))

    return make


def casts(op: str) -> Make:
    def make(kind: str, i: int) -> Case:
        shape = small(RNG)
        if op == "DEQUANTIZE":
            x = Value(shape, kind) if kind == "float16" else scaled(kind, i, *shape)
            return Case(f"dequantize-{kind}-{i}", op, (x,), Value())
        if kind == "float32":
            y = scaled(CODES[i % 3], i, low=-3, high=-1)
            return Case(f"quantize-{kind}-{i}", op, (Value(shape, low=-9, high=9),), y)
        if kind == "int32":
            x = Value(shape, kind, real(-4, -3), low=-99_999, high=99_999)
            return Case(f"quantize-{kind}-{i}", op, (x,), scaled(("int8", "int16")[i % 2], i))
        target = kind if kind == "int16" else ("int8", "uint8")[i % 2]
        return Case(f"quantize-{kind}-{i}", op, (scaled(kind, i, *shape),), scaled(target, i + 1))

    return make


def reshape(kind: str, i: int) -> Case:
    shape = small(RNG)
    size = int(np.prod(shape))
    new = [(size,), (1, size), (*shape[::-1],), (shape[0], -1), (-1, shape[-1])][i % 5]
    x = scaled(kind, i, *shape)
    return Case(f"reshape-{kind}-{i}", "RESHAPE", (x, Value((len(new),), "int32", constant=new)), like(x))


def squeeze(kind: str, i: int) -> Case:
    shape = [*small(RNG)[:3]]
    places = sorted({int(RNG.integers(0, len(shape) + 1)) for _ in range(2)}, reverse=True)
    for place in places:
        shape.insert(place, 1)
    ones = [j for j, n in enumerate(shape) if n == 1]
    x = scaled(kind, i, *shape)
    return Case(f"squeeze-{kind}-{i}", "SQUEEZE", (x,), like(x), {"squeeze_dims": [] if i % 3 == 0 else ones[: i % 3]})


def about(op: str) -> Make:
    def make(kind: str, i: int) -> Case:
        options = {"out_type": ("INT32", "INT64")[i % 2]} if op == "SHAPE" else {}
        x = Value(small(RNG) if i or options else (), kind)
        return Case(f"{op.lower()}-{kind}-{i}", op, (x,), Value((), ("int32", "int64")[i % 2 * bool(options)]), options)

    return make


def join(kind: str, i: int) -> Case:
    shape = small(RNG)
    axis = int(RNG.integers(0, len(shape)))
    x = scaled(kind, i)
    shapes = [(*shape[:axis], int(RNG.integers(1, 6)), *shape[axis + 1 :]) for _ in range(1 + i % 4)]
    inputs = tuple(Value(s, kind, x.scale, x.zero_point) for s in shapes)
    return Case(f"concatenation-{kind}-{i}", "CONCATENATION", inputs, like(x), {"axis": axis - len(shape) * (i % 2)})


def shares(kind: str, i: int) -> Case:
    shape = small(RNG)
    shape = (*shape[:-1], shape[-1] * (1 + i % 7 * 5))
    x = scaled(kind, i, *shape, low=-2, high=-0.3)
    beta = (1.0, 0.5, 1.7)[i % 3]
    return Case(f"softmax-{kind}-{i}", "SOFTMAX", (x,), Value((), kind, *softmax.OUT[kind]), {"beta": beta})


def padding(op: str) -> Make:
    def make(kind: str, i: int) -> Case:
        shape = small(RNG)
        if op == "MIRROR_PAD":
            around = [[int(v) for v in RNG.integers(0, n + i % 2, 2)] for n in shape]
        else:
            around = RNG.integers(0, 4, (len(shape), 2)).tolist()
        x = Value(shape, kind) if kind == "bool" else scaled(kind, i, *shape)
        given: tuple[Value, ...] = (x, Value((len(shape), 2), ("int32", "int64")[i % 4 == 3], constant=around))
        if op == "PADV2":
            low, high = (0, 100) if kind == "uint8" else (-100, 100)
            given = (*given, Value((), kind, x.scale, x.zero_point, low=low, high=high))
        options = {"mode": ("REFLECT", "SYMMETRIC")[i % 2]} if op == "MIRROR_PAD" else {}
        oracles = NEWER if kind == "bool" else Case.oracles
        return Case(f"{op.lower()}-{kind}-{i}", op, given, like(x), options, oracles=oracles)

    return make


def pool(op: str) -> Make:
    def make(kind: str, i: int) -> Case:
        image = (int(RNG.integers(1, 3)), *(int(n) for n in RNG.integers(3, 12, 2)), int(RNG.integers(1, 40)))
        height, width = (int(RNG.integers(1, n + 1)) for n in image[1:3])
        options = {
            "padding": ("SAME", "VALID")[i % 2],
            "stride_h": int(RNG.integers(1, 4)),
            "stride_w": int(RNG.integers(1, 4)),
            "filter_height": height,
            "filter_width": width,
            "fused_activation_function": ACTIVATIONS[i % 4],
        }
        x = scaled(kind, i, *image, low=-2, high=-1)
        return Case(f"{op.lower()}-{kind}-{i}", op, (x,), like(x), options)

    return make


def mean(kind: str, i: int) -> Case:
    shape = small(RNG)
    axes = [int(a) for a in RNG.permutation(len(shape))[: int(RNG.integers(1, len(shape) + 1))]]
    inputs = (scaled(kind, i, *shape), Value((len(axes),), "int32", constant=axes))
    return Case(f"mean-{kind}-{i}", "MEAN", inputs, scaled(kind, i + 1), {"keep_dims": bool(i % 2)})


def product(kind: str, i: int) -> Case:
    rows, terms, units = (int(n) for n in RNG.integers(1, 60, 3))
    fitting = {"x": (rows, terms), "units": units, "activation": ACTIVATIONS[i % 4], "gain": real(-0.5, 0.5)}
    if kind == "uint8":
        fitting["zeros"] = tuple(zero_point(kind, i + j) for j in range(3))
    return fully_connected(f"product-{i}", kind, **fitting)  # type: ignore[arg-type]


def narrow(weights: str) -> Make:
    """Weights of another width, which LiteRT takes: of 4 and 2 bits with every kind of activations, of 16 with 16."""

    def make(kind: str, i: int) -> Case:
        rows, terms, units = (int(n) for n in RNG.integers(1, 30, 3))
        scaling = {"spread": (0, 4)[i % 2], "gain": {"int4": 0.05, "int2": 0.01, "int16": 60}[weights] * real(0, 1)}
        return fully_connected(
            f"{weights}-{i}",
            kind,
            (rows, 2 * terms),
            units,
            ACTIVATIONS[i % 4],
            weight_type=weights,
            oracles=NEWER,
            **scaling,
        )

    return make


def by_column(kind: str, i: int) -> Case:
    """Matrices with a scale for each column of the product, which ai-edge-litert takes for 0."""
    m, k, n = (int(v) for v in RNG.integers(1, 12, 3))
    b = Value((k, n) if i % 2 else (n, k), "int8", [real(-3, -2) for _ in range(n)], [0] * n, i % 2, constant=True)
    inputs, options = (scaled(kind, i, 2, m, k), b), {"adj_y": not i % 2}
    return Case(f"by-column-{kind}-{i}", "BATCH_MATMUL", inputs, scaled(kind, i + 1), options, oracles=())


def depthwise(kind: str, i: int) -> Case:
    image = (int(RNG.integers(1, 3)), *(int(n) for n in RNG.integers(3, 12, 2)), int(RNG.integers(1, 20)))
    return depthwise_conv(
        f"depthwise-{i}",
        kind,
        image,
        (int(RNG.integers(1, 4)), int(RNG.integers(1, 4))),
        int(RNG.integers(1, 4)),
        int(RNG.integers(1, 3)),
        padding=("SAME", "VALID")[i % 2],
        activation=ACTIVATIONS[i % 4],
    )


def bitcast(kind: str, i: int) -> Case:
    """To a type of the same size, or half of it, or twice."""
    targets = {"float32": ("int32", "int16"), "int32": ("float32", "int16"), "int64": ("int32", "int16")}
    targets |= {"int16": ("uint16", "int32"), "int8": ("uint8", "int16"), "uint8": ("int8", "int16")}
    target, shape = targets[kind][i % 2], small(RNG)
    wider = (target == "int32" and kind == "int16") or (target == "int16" and kind in ("int8", "uint8"))
    x = Value(
        (*shape, 2) if wider else shape, kind, low=-9 if kind == "int32" else None, high=9 if kind == "int32" else None
    )
    return Case(f"bitcast-{kind}-{i}", "BITCAST", (x,), Value((), target))


CASES = [
    *(row for op in ("ADD", "SUB", "MUL") for row in twenty(FLOAT + CODES + WHOLE, arithmetic(op))),
    *(row for op in ("EQUAL", "NOT_EQUAL") for row in twenty(("bool",), truth(op))),
    *(row for op in ("RELU", "RELU6", "LOGISTIC", "TANH") for row in twenty(FLOAT + CODES, functions(op))),
    *(row for op in ("RELU_N1_TO_1", "RELU_0_TO_1") for row in twenty(FLOAT + CODES[:2], functions(op))),
    *twenty(FLOAT + CODES + ("int32",), casts("QUANTIZE")),
    *twenty(("float16", *CODES), casts("DEQUANTIZE")),
    *twenty(FLOAT + CODES + WHOLE, reshape),
    *twenty(FLOAT + CODES, squeeze),
    *(row for op in ("SHAPE", "RANK") for row in twenty(FLOAT + CODES + WHOLE + ("bool",), about(op))),
    *twenty(FLOAT + CODES + WHOLE, join),
    *twenty(FLOAT + CODES, shares),
    *(row for op in ("PAD", "PADV2", "MIRROR_PAD") for row in twenty(FLOAT + CODES + WHOLE, padding(op))),
    *twenty(("bool",), padding("MIRROR_PAD")),
    *(row for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D") for row in twenty(FLOAT + CODES, pool(op))),
    *twenty(FLOAT + CODES, mean),
    *twenty(("float32", "uint8"), product),
    *(row for weights in ("int4", "int2") for row in twenty(("int8", "int16", "hybrid"), narrow(weights))),
    *twenty(("int16",), narrow("int16")),
    *twenty(("int8", "int16"), by_column),
    *twenty(("float32", "hybrid"), depthwise),
    *twenty(("float32", "int32", "int64", "int16", "int8", "uint8"), bitcast),
]
