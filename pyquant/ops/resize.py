"""RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR of images (N, H, W, C)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pyquant.errors import ShapeError
from pyquant.fixed import round_half_away
from pyquant.ops.kinds import QUANTIZED, typed_kernels
from pyquant.ops.operator import Call, Launch, Operator, SameAs, Shape, Slot
from pyquant.ops.registry import register
from pyquant.ops.take import take_kernels
from pyquant.ops.ties import channel_ties

ONE = 1 << 10  # of the integer kernels' fractions


class Positions(NamedTuple):
    """Along one axis, for every output: the two inputs between which it lies, and how far it is from the first one."""

    lower: np.ndarray  # (n,) int32
    upper: np.ndarray  # (n,) int32
    fraction: np.ndarray  # (n,) float32, or int32 in units of 1 / ONE; may lie outside 0..1 at the border


def resized(call: Call, image: Shape, _size: Shape | None = None) -> list[Shape]:
    size = call.constant("size")
    if len(image) != 4 or call["size"].shape != (2,) or min(*image[1:3], *([] if size is None else size.tolist())) < 1:
        raise ShapeError(f"{call.label}: expected an image (N, H, W, C) and a size, got {image} and {size}")
    height, width = (-1, -1) if size is None else (int(size[0]), int(size[1]))
    return [(image[0], height, width, image[3])]


def float_positions(call: Call, n_in: int, n_out: int) -> Positions:
    """In float32, step by step as TFLite."""
    scale = np.float32(n_in) / np.float32(n_out)
    if call.options.align_corners and n_out > 1:
        scale = np.float32(n_in - 1) / np.float32(n_out - 1)
    at = np.arange(n_out, dtype=np.float32)
    half = np.float32(0.5)
    at = (at + half) * scale - half if call.options.half_pixel_centers else at * scale
    lower = np.clip(np.floor(at).astype(np.int64), 0, n_in - 1)  # scale is rounded, and the last may go too far
    upper = np.minimum(np.ceil(at).astype(np.int64), n_in - 1)
    return Positions(lower.astype(np.int32), upper.astype(np.int32), at - lower.astype(np.float32))


def integer_positions(call: Call, n_in: int, n_out: int) -> Positions:
    scale = (n_in * ONE + n_out // 2) // n_out
    if call.options.align_corners and n_out > 1:
        scale = ((n_in - 1) * ONE + (n_out - 1) // 2) // (n_out - 1)
    at = np.arange(n_out, dtype=np.int64) * scale
    if call.options.half_pixel_centers:
        at = at + (scale // 2 - ONE // 2)
    lower = np.clip(at >> 10, 0, n_in - 1)
    upper = np.minimum((at + ONE - 1) >> 10, n_in - 1)
    return Positions(lower.astype(np.int32), upper.astype(np.int32), (at - lower * ONE).astype(np.int32))


def _blend(x: np.ndarray, rows: Positions, columns: Positions, one: Any) -> np.ndarray:
    """The four neighbours of each output, weighted and summed in TFLite's order. x: (N, H, W, C)"""
    down, right = rows.fraction[:, None, None], columns.fraction[:, None]
    above, below = x[:, rows.lower], x[:, rows.upper]
    y: np.ndarray = (
        above[:, :, columns.lower] * (one - down) * (one - right)
        + below[:, :, columns.lower] * down * (one - right)
        + above[:, :, columns.upper] * (one - down) * right
        + below[:, :, columns.upper] * down * right
    )
    return y


def _axes(call: Call, image: Shape, positions: Any) -> tuple[Positions, Positions]:
    _, height, width, _ = call["y"].shape
    return positions(call, image[1], height), positions(call, image[2], width)


def resize_float(call: Call, x: np.ndarray, _size: np.ndarray) -> np.ndarray:
    return _blend(x, *_axes(call, x.shape, float_positions), np.float32(1))


def resize_uint8(call: Call, x: np.ndarray, _size: np.ndarray) -> np.ndarray:
    """In float32, half added and cut."""
    return (resize_float(call, x.astype(np.float32), _size) + np.float32(0.5)).astype(np.uint8)


def resize_integer(call: Call, x: np.ndarray, _size: np.ndarray) -> np.ndarray:
    """Rounds half away from zero."""
    y = _blend(x.astype(np.int64), *_axes(call, x.shape, integer_positions), ONE)
    rounded: np.ndarray = np.sign(y) * ((np.abs(y) + (1 << 19)) >> 20)
    return rounded.astype(x.dtype)


def nearest_places(call: Call, n_in: int, n_out: int) -> np.ndarray:
    """Along one axis, the input that each output shows. -> (n_out,) int64"""
    options, half = call.options, np.float32(0.5)
    scale = np.float32(n_in) / np.float32(n_out)
    if options.align_corners and n_out > 1:
        scale = np.float32(n_in - 1) / np.float32(n_out - 1)
    at = (np.arange(n_out, dtype=np.float32) + (half if options.half_pixel_centers else np.float32(0))) * scale
    places: np.ndarray = round_half_away(at) if options.align_corners else np.floor(at)
    return np.asarray(np.clip(places, 0, n_in - 1)).astype(np.int64)


def resize_nearest(call: Call, x: np.ndarray, _size: np.ndarray) -> np.ndarray:
    _, height, width, _ = call["y"].shape
    rows, columns = nearest_places(call, x.shape[1], height), nearest_places(call, x.shape[2], width)
    shown: np.ndarray = x[:, rows[:, None], columns]
    return shown


def resize_params(call: Call) -> Launch | None:
    """One unit is one row of one output image."""
    x, y = call["x"], call["y"]
    if x.dtype != y.dtype or call.constant("size") is None:
        return None
    by_float = x.dtype.name in ("float32", "uint8")
    rows, columns = _axes(call, x.shape, float_positions if by_float else integer_positions)
    params: dict[str, Any] = {"in_height": x.shape[1], "in_width": x.shape[2], "channels": x.shape[3]}
    params |= {"out_height": y.shape[1], "out_width": y.shape[2]}
    for name, positions in (("row", rows), ("column", columns)):
        real, units = (positions.fraction, None) if by_float else (None, positions.fraction)
        params |= {f"{name}_lower": positions.lower, f"{name}_upper": positions.upper}
        params |= {f"{name}_fraction": real, f"{name}_units": units}
    return Launch(y.shape[0] * y.shape[1], params, cost=8 * y.shape[2] * y.shape[3])


RESIZE_BILINEAR = register(
    Operator(
        "RESIZE_BILINEAR",
        options="ResizeBilinearOptions",
        inputs=(Slot("x"), Slot("size", role="data")),
        outputs=(Slot("y", scale=SameAs("x")),),
        shape=resized,
        ties=channel_ties,
        reference={
            "float32": resize_float,
            "int8": resize_integer,
            "int16": resize_integer,
            "uint8": resize_uint8,
        },
        kernels=typed_kernels("resize_bilinear", "pq_resize", resize_params),
    )
)

RESIZE_NEAREST_NEIGHBOR = register(
    Operator(
        "RESIZE_NEAREST_NEIGHBOR",
        options="ResizeNearestNeighborOptions",
        inputs=(Slot("x"), Slot("size", role="data")),
        outputs=(Slot("y", scale=SameAs("x")),),
        shape=resized,
        ties=channel_ties,
        reference=dict.fromkeys(("float32", *QUANTIZED, "int32"), resize_nearest),
        kernels=take_kernels(("float32", *QUANTIZED, "int32")),
    )
)
