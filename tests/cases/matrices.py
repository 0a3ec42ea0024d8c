"""Rows of TRANSPOSE_CONV, BATCH_MATMUL, CONV_3D, L2_POOL_2D, and of weights in 4 bits."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from cases.case import Case, Value
from cases.movement import NEWER, index

RNG = np.random.default_rng(7)
OLDER = ("tflite-runtime",)
BOTH = Case.oracles


def scales(count: int, low: float = -3, high: float = -1) -> Any:
    return (10.0 ** RNG.uniform(low, high, count)).astype(np.float32).tolist()


def scattered() -> Iterator[Case]:
    for dtype in ("float32", "int8", "uint8", "int16"):
        for i in range(24):
            n, h, w, c, o = (int(k) for k in RNG.integers(1, 5, 5))
            kh, kw, sh, sw = (int(k) for k in RNG.integers(1, 4, 4))
            padding = ("SAME", "VALID")[i % 2]
            out = (h * sh, w * sw) if padding == "SAME" else ((h - 1) * sh + kh, (w - 1) * sw + kw)
            per_channel = dtype in ("int8", "int16") and i % 3 > 0
            sx, sw_, sy = scales(1)[0], scales(o) if per_channel else scales(1)[0], 0.0
            zero = (
                int(RNG.integers(-128, 128))
                if dtype == "int8"
                else int(RNG.integers(0, 256))
                if dtype == "uint8"
                else 0
            )
            sy = float(np.float32(np.max(sw_) * sx * (30 if dtype != "int16" else 300)))
            if dtype == "float32":
                x, weight, y = Value((n, h, w, c)), Value((o, kh, kw, c), constant=True), Value()
                bias = Value((o,), constant=True)
            else:
                sx = sx / 256 if dtype == "int16" else sx
                wz = int(RNG.integers(0, 256)) if dtype == "uint8" else 0
                x = Value((n, h, w, c), dtype, sx, zero)
                weight = Value(
                    (o, kh, kw, c),
                    "uint8" if dtype == "uint8" else "int8",
                    sw_,
                    [0] * o if per_channel else wz,
                    constant=True,
                )
                y = Value((), dtype, sy / 256 if dtype == "int16" else sy, -zero % 100 if dtype != "int16" else 0)
                product = (np.float32(sx) * np.array(sw_, np.float32)).tolist()
                kind = "int64" if dtype == "int16" else "int32"
                bias = Value((o,), kind, product, [0] * o if per_channel else 0, constant=True, low=-2000, high=2000)
            options = {"padding": padding, "stride_h": sh, "stride_w": sw}
            if dtype == "int16" and i % 4:
                options["quantized_bias_type"] = "INT64"
            given = (index([n, *out, o]), weight, x, *(() if i % 4 == 0 else (bias,)))
            yield Case(f"transpose_conv-{dtype}-{i}", "TRANSPOSE_CONV", given, y, options, oracles=BOTH)
    for i in range(20):
        h, w, c, o = (int(k) for k in RNG.integers(1, 5, 4))
        weight = Value((o, 3, 2, c), "int8", scales(o), [0] * o, constant=True)
        given = (
            index([2, h * 2, w * 2, o]),
            weight,
            Value((2, h, w, c)),
            *((Value((o,), constant=True),) if i % 2 else ()),
        )
        options = {"padding": "SAME", "stride_h": 2, "stride_w": 2}
        yield Case(f"transpose_conv-hybrid-{i}", "TRANSPOSE_CONV", given, Value(), options, 2e-7, NEWER)


SHAPES = [
    ((3, 5), (5, 4)), ((2, 3, 5), (2, 5, 4)), ((2, 3, 5), (5, 4)), ((1, 3, 5), (2, 5, 130)),
    ((2, 2, 3, 4), (2, 2, 4, 3)),
    ((2, 1, 3, 4), (1, 3, 4, 2)), ((1, 7), (7, 1)), ((4, 1), (1, 4)), ((2, 3, 33), (2, 33, 9)), ((3, 2, 3, 4), (4, 5)),
]  # fmt: skip


# more rows than a tile has, more columns than are packed at once, more terms than 32 bits hold of int16
LARGE = [
    ((2, 13, 6), (2, 6, 47)), ((25, 64), (64, 40)), ((2, 5, 1100), (2, 1100, 19)),
    ((30, 70), (70, 3001)), ((4, 4200), (4200, 5)),
]  # fmt: skip


def products() -> Iterator[Case]:
    for dtype in ("float32", "int8", "int16", "int16x8", "hybrid"):
        shapes = [SHAPES[i % len(SHAPES)] for i in range(40 if dtype == "hybrid" else 20)]
        for i, (a, b) in enumerate(shapes + [(a, b) for (a, b) in LARGE for _ in range(4 if dtype != "hybrid" else 0)]):
            x, y = bool(i & 1), bool(i & 2)
            a, b = ((*a[:-2], a[-1], a[-2]) if x else a), ((*b[:-2], b[-1], b[-2]) if y else b)
            options = {"adj_x": x, "adj_y": y}
            if dtype == "float32":
                yield Case(f"batch_matmul-{dtype}-{i}", "BATCH_MATMUL", (Value(a), Value(b)), Value(), options)
                continue
            if dtype == "hybrid":
                weight = Value(b, "int8", 0.01, constant=True)
                options |= {"asymmetric_quantize_inputs": i >= 20}
                oracles = () if len(a) == 4 and 1 not in a[:2] else BOTH  # they mix up the rows' scales there
                yield Case(
                    f"batch_matmul-hybrid-{i}", "BATCH_MATMUL", (Value(a), weight), Value(), options, 2e-7, oracles
                )
                continue
            zeros = RNG.integers(-128, 128, 3).tolist() if dtype == "int8" else [0] * 3
            sa, sb = scales(2)
            sy = float(np.float32(sa * sb * (50 if dtype == "int8" else 3000)))
            first, second = ("int16", "int8") if dtype == "int16x8" else (dtype, dtype)
            most = {"low": -32768, "high": -32700} if dtype == "int16" and a[-1] > 1000 else {}
            values = (Value(a, first, sa, zeros[0], **most), Value(b, second, sb, zeros[1], **most))
            oracles = NEWER if dtype == "int16x8" else BOTH
            y = Value((), first, sy, zeros[2])
            yield Case(f"batch_matmul-{dtype}-{i}", "BATCH_MATMUL", values, y, options, oracles=oracles)


# five axes, as many as the runtimes take, and one number, one row and column, nothing
EDGES = {
    "five_axes": ((2, 1, 2, 3, 4), (1, 3, 2, 4, 5)),
    "one": ((1, 1), (1, 1)),
    "line": ((1, 7), (7, 1)),
    "no_rows": ((0, 3), (3, 4)),
    "no_terms": ((2, 0), (0, 3)),
}


def more_products() -> Iterator[Case]:
    for case in (row for row in products() if row.id.endswith("-0")):
        for name, shapes in EDGES.items():
            inputs = tuple(replace(v or Value(), shape=s) for v, s in zip(case.inputs, shapes, strict=True))
            hybrid = "hybrid" in case.id
            if hybrid and name == "no_terms":
                continue  # of which both die, and pyquant refuses it
            oracles = () if hybrid and name == "five_axes" else case.oracles  # as of four
            yield replace(case, id=case.id.replace("-0", f"-{name}"), inputs=inputs, oracles=oracles)


# image, filter (height, width), stride, padding, output image
GEOMETRIES: dict[str, tuple[tuple[int, ...], tuple[int, int], int, str, list[int]]] = {
    "stride_three": ((2, 3, 2, 5), (2, 4), 3, "SAME", [9, 6]),
    "stride_three_valid": ((2, 3, 2, 5), (5, 2), 3, "VALID", [11, 5]),
    "one_pixel": ((1, 1, 1, 7), (3, 3), 1, "VALID", [3, 3]),
    "gaps": ((1, 3, 3, 2), (1, 1), 3, "SAME", [9, 9]),
}


def more_scattered() -> Iterator[Case]:
    """With a bias and one scale, or a scale for each channel."""
    for case in [case for case in scattered() if case.id.endswith(("-3", "-5")) and "hybrid" not in case.id]:
        w, x, b = (v or Value() for v in case.inputs[1:])
        for name, (image, filter, stride, padding, out) in GEOMETRIES.items():
            channels = w.shape[0]
            inputs = (
                index([image[0], *out, channels]),
                replace(w, shape=(channels, *filter, image[3])),
                replace(x, shape=image),
                b,
            )
            options = {**case.options, "padding": padding, "stride_h": stride, "stride_w": stride}
            yield replace(case, id=f"{case.id}_{name}", inputs=inputs, options=options)


def volumes() -> Iterator[Case]:
    for i in range(20):
        n, d, h, w, c, o = (int(k) for k in RNG.integers(1, 5, 6))
        kd, kh, kw = (int(k) for k in RNG.integers(1, 3, 3))
        options = dict(zip(("stride_d", "stride_h", "stride_w"), (int(k) for k in RNG.integers(1, 3, 3)), strict=True))
        dilation = 2 if i % 5 == 0 and min(d, h, w) > 3 else 1
        options |= {"padding": "SAME" if i % 2 or min(d - kd, h - kh, w - kw) < 0 else "VALID"}
        options |= dict.fromkeys(("dilation_d_factor", "dilation_h_factor", "dilation_w_factor"), dilation)
        options |= {"fused_activation_function": ("NONE", "RELU", "RELU6")[i % 3]}
        given = (
            Value((n, d, h, w, c)),
            Value((kd, kh, kw, c, o), constant=True),
            *((Value((o,), constant=True),) if i % 3 else ()),
        )
        yield Case(f"conv_3d-float32-{i}", "CONV_3D", given, Value(), options, 5e-7)


def pools() -> Iterator[Case]:
    for i in range(20):
        n, h, w, c = (int(k) for k in RNG.integers(1, 7, 4))
        fh, fw, sh, sw = (int(k) for k in RNG.integers(1, 4, 4))
        options = {"filter_height": fh, "filter_width": fw, "stride_h": sh, "stride_w": sw}
        options |= {"padding": "SAME" if i % 2 or h < fh or w < fw else "VALID"}
        options |= {"fused_activation_function": ("NONE", "RELU6")[i % 3 == 0]}
        yield Case(f"l2_pool_2d-float32-{i}", "L2_POOL_2D", (Value((n, h, w, c)),), Value(), options, 5e-7)


def four_bits() -> Iterator[Case]:
    """int8 activations with int4 weights, and float ones."""
    for i in range(20):
        per_channel = bool(i % 2)
        c, o, k = (int(v) for v in RNG.integers(1, 6, 3))
        for op, shape, channels in (
            ("CONV_2D", (o, 2, 3, c), o),
            ("DEPTHWISE_CONV_2D", (1, 3, 2, c), c),
            ("FULLY_CONNECTED", (o, 7 * k), o),
        ):
            scale = scales(channels) if per_channel else scales(1)[0]
            zeros = [0] * channels if per_channel else 0
            axis = 3 if op[0] == "D" else 0
            weight = Value(shape, "int4", scale, zeros, axis, constant=True)
            sx, sy = scales(2)
            product = (np.float32(sx) * np.array(scale, np.float32)).tolist()
            bias = Value((channels,), "int32", product, zeros, constant=True, low=-900, high=900)
            image = (2, 5, 4, c) if op[0] != "F" else (3, 7 * k)
            options: dict[str, Any] = {} if op[0] == "F" else {"padding": "SAME", "stride_h": 1, "stride_w": 1}
            options |= {"depth_multiplier": 1} if op[0] == "D" else {}
            x, y = (
                Value(image, "int8", sx, int(RNG.integers(-128, 128))),
                Value((), "int8", sy, int(RNG.integers(-128, 128))),
            )
            oracles = NEWER if op[0] == "F" and per_channel else BOTH
            yield Case(f"{op.lower()}-int4-{i}", op, (x, weight, bias), y, options, oracles=oracles)
            if op[0] != "D":  # which no runtime has; 2.14 takes the filter of a convolution for int8
                given = (Value(image), weight, Value((channels,), constant=True))
                oracles = NEWER if op[0] == "C" else oracles
                yield Case(f"{op.lower()}-hybrid4-{i}", op, given, Value(), options, 2e-7, oracles)


CASES = [*scattered(), *products(), *volumes(), *pools(), *four_bits(), *more_scattered(), *more_products()]
