"""Rows of SVDF, LSTM, RNN and their sequences; tests/test_recurrent.py runs them over several steps."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from cases.case import Case, Value

RNG = np.random.default_rng(8)
ABOUT_FLOAT = 2e-6  # the order of sums is not told


def scale(low: float, high: float) -> float:
    return float(np.float32(10.0 ** RNG.uniform(low, high)))


def weights(*shape: int, dtype: str = "float32", step: float | None = None, zero: int = 0) -> Value:
    low, high = (-1, 1) if dtype == "float32" else (-127, 127)
    return Value(shape, dtype, step, zero, constant=True, low=low, high=high)


def svdfs() -> Iterator[Case]:
    for kind in ("float32", "hybrid", "int8"):
        for i in range(20):
            if kind == "int8":
                yield svdf_int8(i)
                continue
            batch, size, units, rank, memory = (int(n) for n in RNG.integers(1, 6, 5))
            filters = units * rank
            options: dict[str, Any] = {"rank": rank, "fused_activation_function": ("NONE", "RELU")[i % 2]}
            more = {} if kind == "float32" else {"dtype": "int8", "step": scale(-3, -1)}
            feature, in_time = weights(filters, size, **more), weights(filters, memory, **more)
            options |= {"asymmetric_quantize_inputs": bool(i % 4 > 1)} if kind == "hybrid" else {}
            bias = weights(units) if i % 3 else None
            state = Value((batch, filters * memory), variable=True)
            yield Case(
                f"svdf-{kind}-{i}",
                "SVDF",
                (Value((batch, size)), feature, in_time, bias, state),
                Value(),
                options,
                ABOUT_FLOAT,
            )


def svdf_int8(i: int, far: tuple[float, float] = (1.0, 1.0), zero: int | None = None) -> Case:
    """far: times the scales of the input and of its weights; zero: the zero point of input and output."""
    batch, size, units, rank, memory = (int(n) for n in RNG.integers(1, 6, 5))
    filters = units * rank
    steps = [scale(-2.5, -1), scale(-2.5, -1), scale(-3, -2), scale(-4, -3), scale(-1.5, -0.5)]
    steps[0], steps[1] = steps[0] * far[0], steps[1] * far[1]
    x_zero = int(RNG.integers(-128, 128))
    inputs = (
        Value((batch, size), "int8", steps[0], x_zero if zero is None else zero),
        weights(filters, size, dtype="int8", step=steps[1]),
        Value((filters, memory), "int16", steps[2] / 64, constant=True, low=-32767, high=32767),
        Value((units,), "int32", steps[3] * steps[2] / 64, constant=True, low=-9000, high=9000) if i % 3 else None,
        Value((batch, filters * memory), "int16", steps[3], variable=True),
    )
    y_zero = int(RNG.integers(-128, 128))
    y = Value((), "int8", steps[4], y_zero if zero is None else zero)
    # the integer kernel takes no other activation
    options = {"rank": rank, "fused_activation_function": "RELU"}
    return Case(f"svdf-int8-{i}", "SVDF", inputs, y, options)


def cells() -> Iterator[Case]:
    for op in ("RNN", "UNIDIRECTIONAL_SEQUENCE_RNN"):
        for kind in ("float32", "hybrid"):
            for i in range(20):
                batch, size, units, time = (int(n) for n in RNG.integers(1, 6, 4))
                more = {} if kind == "float32" else {"dtype": "int8", "step": scale(-3, -2)}
                x = Value((batch, size) if op == "RNN" else ((time, batch, size) if i % 2 else (batch, time, size)))
                options: dict[str, Any] = {"fused_activation_function": ("NONE", "RELU", "TANH")[i % 3]}
                options |= {} if op == "RNN" else {"time_major": bool(i % 2)}
                options |= {"asymmetric_quantize_inputs": bool(i % 4 > 1)} if kind == "hybrid" else {}
                inputs = (
                    x,
                    weights(units, size, **more),
                    weights(units, units, **more),
                    weights(units),
                    Value((batch, units), variable=True),
                )
                yield Case(f"{op.lower()}-{kind}-{i}", op, inputs, Value(), options, ABOUT_FLOAT)


def lstms() -> Iterator[Case]:
    for op in ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM"):
        for kind in ("float32", "hybrid", "int8"):
            for i in range(20):
                yield lstm(op, kind, i)


def extremes() -> Iterator[Case]:
    """Scales far from those of real models, on either side, and zero points at the ends."""
    for far in ((60.0, 60.0), (1 / 60, 1 / 60), (60.0, 1 / 60), (1 / 60, 60.0)):
        for end in (-128, 127):
            for op in ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM"):
                for kind in ("hybrid", "int8"):
                    for i in (0, 1):  # without and with coupled gates
                        case = lstm(op, kind, i, far, end)
                        yield replace(case, id=f"{op.lower()}-{kind}-far-{far[0]:.2g}-{far[1]:.2g}-{end}-{i}")
            yield replace(svdf_int8(0, far, end), id=f"svdf-int8-far-{far[0]:.2g}-{far[1]:.2g}-{end}")


def peepholes() -> Iterator[Case]:
    """Of integers, which TFLite reads in other places where there are fewer outputs than units."""
    for op in ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM"):
        for i in range(24):
            case = lstm(op, "int8", i, peephole=True)
            yield replace(case, id=f"{case.id}-peephole")


def bidirectionals() -> Iterator[Case]:
    """Of one output or two, and with a sequence of its own for the second direction."""
    for kind in ("float32", "hybrid"):
        for i in range(16):
            yield bidirectional(kind, i)


def bidirectional(kind: str, i: int) -> Case:
    batch, size, units, time = (int(n) for n in RNG.integers(1, 6, 4))  # runtimes want both LSTMs of one size
    outputs = int(RNG.integers(1, 5)) if i % 3 == 2 else units
    coupled, peephole, merged, own = i % 3 == 1, i % 4 == 2, i % 4 < 2, i % 5 == 3
    batch = 1 if merged and not i % 2 else batch  # of more rows in a row, runtimes take states from elsewhere
    more: dict[str, Any] = {} if kind == "float32" else {"dtype": "int8"}

    def matrix(*shape: int) -> Value:
        return weights(*shape, **more, **({"step": scale(-3, -2)} if more else {}))

    def side() -> tuple[list[Value | None], list[Value]]:
        there = [not coupled, True, True, True]
        w, r = ([matrix(units, n) if g else None for g in there] for n in (size, outputs))
        p = [matrix(units) if peephole and g else None for g in (not coupled, True, True)]
        b = [weights(units) if g else None for g in there]
        projection = [matrix(outputs, units), weights(outputs)] if i % 3 == 2 else [None, None]
        return [*w, *r, *p, *b, *projection], [Value((batch, n), variable=True) for n in (outputs, units)]

    (forward, states), (backward, others) = side(), side()
    x = Value((time, batch, size) if i % 2 else (batch, time, size))
    inputs = (x, *forward, *backward, *states, *others, x if own else None, *[None] * 8)
    options: dict[str, Any] = {
        "fused_activation_function": "TANH",
        "cell_clip": (0.0, 1.5)[i % 2],
        "merge_outputs": merged,
        "time_major": bool(i % 2),
    }
    options |= {"asymmetric_quantize_inputs": bool(i % 4 > 1)} if kind == "hybrid" else {}
    tolerance = 5 * ABOUT_FLOAT  # projections make small numbers of greater ones
    name, more_outputs = "BIDIRECTIONAL_SEQUENCE_LSTM", () if merged else (Value(),)
    return Case(f"{name.lower()}-{kind}-{i}", name, inputs, Value(), options, tolerance, more_outputs=more_outputs)


def lstm(
    op: str,
    kind: str,
    i: int,
    far: tuple[float, float] = (1.0, 1.0),
    zero: int | None = None,
    peephole: bool = False,
) -> Case:
    """far: times the scales of inputs and of weights; zero: the zero point of inputs and of what is hidden."""
    batch, size, units, time = (int(n) for n in RNG.integers(1, 6, 4))
    coupled, projected = i % 5 == 1, i % 3 == 2
    peephole = peephole or (i % 4 == 2 and kind == "float32")
    normalized = i % 7 == 3
    outputs = int(RNG.integers(1, 5)) if projected else units
    outputs = min(outputs, units) if peephole and kind == "int8" else outputs
    shape = (batch, size) if op == "LSTM" else (time, batch, size) if i % 2 else (batch, time, size)
    small, kind_of = (kind == "int8"), "float32" if kind == "float32" else "int8"
    sx, sh, s_hidden = scale(-2.3, -1.7) * far[0], 1 / 128, 1 / 128
    cell_scale = 2.0 ** -int(RNG.integers(9, 13))

    def matrix(rows: int, columns: int) -> Value:
        return weights(rows, columns, dtype=kind_of, step=None if kind == "float32" else scale(-3, -2) * far[1])

    def bias(n: int, step: float) -> Value:
        return Value((n,), "int32", step, constant=True, low=-20000, high=20000) if small else weights(n)

    def watched() -> Value:
        return (
            Value((units,), "int16", scale(-5, -4), constant=True, low=-32767, high=32767) if small else weights(units)
        )

    def norm() -> Value:
        return (
            Value((units,), "int16", scale(-5, -4.3), constant=True, low=9000, high=32767) if small else weights(units)
        )

    w = [None if coupled and g == 0 else matrix(units, size) for g in range(4)]
    r = [None if coupled and g == 0 else matrix(units, outputs) for g in range(4)]
    p = [watched() if peephole and not (coupled and g == 0) else None for g in range(3)]
    n = [norm() if normalized and not (coupled and g == 0) else None for g in range(4)]
    steps = [
        0.0 if v is None or not small else m.scale / 1024 if m else sx * v.scale for v, m in zip(w, n, strict=True)
    ]
    b = [None if v is None else bias(units, step) for v, step in zip(w, steps, strict=True)]
    projection = matrix(outputs, units) if projected else None
    h_zero = int(RNG.integers(-20, 20)) if small else 0
    h_zero = h_zero if zero is None or not small else zero
    h = Value((batch, outputs), "int8" if small else "float32", sh if small else None, h_zero, variable=True)
    cell = Value((batch, units), "int16" if small else "float32", cell_scale if small else None, variable=True)
    x_zero = int(RNG.integers(-128, 128)) if small else 0
    x = Value(shape, "int8", sx, x_zero if zero is None else zero) if small else Value(shape)
    projection_bias = (
        bias(outputs, (projection.scale if projection and small else 1) * s_hidden) if projected and i % 2 else None
    )
    inputs = (x, *w, *r, *p, *b, projection, projection_bias, h, cell, *n)
    options: dict[str, Any] = {
        "fused_activation_function": "TANH",
        "cell_clip": (0.0, 1.5)[i % 2],
        "proj_clip": (0.0, 0.4)[i % 6 == 5],
    }
    options |= {} if op == "LSTM" else {"time_major": bool(i % 2)}
    options |= {"asymmetric_quantize_inputs": bool(i % 4 > 1)} if kind == "hybrid" else {}
    y = Value((), "int8", sh, h_zero) if small else Value()
    gates = Value((), "int16", scale(-4.7, -4) if normalized else 2.0**-12)
    flips = kind == "hybrid" and normalized  # a code of h that is nearly the next one, enlarged by normalization
    tolerance = 0.0 if small else 1e-3 if flips else ABOUT_FLOAT
    ends = (3, -128, 127)[i // 3 % 3]
    inner = (
        (gates, gates, gates, gates, Value((), "int8", s_hidden, h_zero if not projected else ends)) if small else ()
    )
    return Case(f"{op.lower()}-{kind}-{i}", op, inputs, y, options, tolerance, intermediates=inner)


def basics() -> Iterator[Case]:
    """LSTM of kernel type BASIC, with a state that is fed or kept, and at its ends."""
    for kind in ("float32", "uint8"):
        for i in range(26):
            yield basic(kind, i)


def basic(kind: str, i: int) -> Case:
    batch, size, units = (int(n) for n in RNG.integers(1, 9, 3))
    small, kept = kind == "uint8", i % 2 == 0
    code, word, step = ("uint8", "int16", 1 / 128) if small else ("float32", "float32", None)
    unit, power = (128, 2.0**-11) if small else (0, None)
    end = (None, -32768, 32767)[i % 3] if small and i >= 20 else None
    scale_of = scale(-3.5, -0.5) if small else None
    w = Value((4 * units, size + units), code, scale_of, int(RNG.integers(0, 256)) if small else 0, constant=True)
    b = Value((4 * units,), "int32" if small else kind, scale_of and scale_of / 128, constant=True)
    inputs = (
        Value((batch, size), code, step, unit),
        Value((batch, units), code, step, unit, variable=kept),
        replace(w, low=None if small else -1, high=None if small else 1),
        replace(b, low=-(2**17) if small else -1, high=2**17 if small else 1),
        Value((batch, units), word, power, variable=kept, low=end, high=end),
    )
    more = (Value((), word, power), Value((), code, step, unit), Value((), word, 2.0**-12 if small else None))
    options = {"kernel_type": "BASIC", "fused_activation_function": "TANH"}
    y = Value((), code, step, unit)
    return Case(f"lstm-basic-{kind}-{i}", "LSTM", inputs, y, options, 0.0 if small else ABOUT_FLOAT, more_outputs=more)


CASES = [*svdfs(), *cells(), *lstms(), *basics(), *extremes(), *peepholes(), *bidirectionals()]
