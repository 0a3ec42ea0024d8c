"""Where a window that slides over an image meets it: output size, padding, and the part of the image under each tap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from pyquant.errors import ShapeError
from pyquant.ops.operator import Call, Shape
from pyquant.wire import Record

SAME, VALID = 0, 1  # Padding in schema/tflite.fbs


@dataclass(frozen=True)
class Axis:
    """One spatial axis: tap k of output o reads input o * stride - before + k * dilation, if that is inside."""

    size: int  # of the image
    taps: int
    stride: int
    dilation: int
    before: int  # padding in front
    out: int  # windows

    def reaching(self) -> range:
        """The taps that are inside the image for some output: not all of a window that is larger than the image."""
        first = -(((self.out - 1) * self.stride - self.before) // self.dilation)
        last = (self.size - 1 + self.before) // self.dilation
        return range(max(first, 0), min(last + 1, self.taps))

    def span(self, k: int) -> tuple[slice, slice]:
        """The outputs whose tap k is inside the image, and the inputs that they read there."""
        first = k * self.dilation - self.before  # what output 0 reads
        lo = max(0, -(first // self.stride))
        hi = min(self.out, (self.size - 1 - first) // self.stride + 1)
        hi = max(lo, hi)
        return slice(lo, hi), slice(lo * self.stride + first, hi * self.stride + first, self.stride)


def axis(size: int, taps: int, stride: int, dilation: int, padding: int, label: str) -> Axis:
    """Place windows along an axis; of an odd padding the larger part goes after. Raises ShapeError where none fits."""
    found = _axis(size, taps, stride, dilation, padding)
    if isinstance(found, str):
        raise ShapeError(f"{label}: {found}")
    return found


@lru_cache(maxsize=4096)
def _axis(size: int, taps: int, stride: int, dilation: int, padding: int) -> Axis | str:
    """The axis, or why there is none."""
    if min(size, taps, stride, dilation) < 1:
        return f"size {size}, window {taps}, stride {stride}, dilation {dilation} must be positive"
    extent = (taps - 1) * dilation + 1
    if size + extent + stride >= 2**31:  # positions are int32 in C
        return f"a window of {extent} at steps of {stride} over {size} is too large"
    out = -(-size // stride) if padding == SAME else (size - extent) // stride + 1
    if out < 1:
        return f"a window of {extent} does not fit into {size} without padding"
    before = max((out - 1) * stride + extent - size, 0) // 2
    return Axis(size, taps, stride, dilation, before, out)


def axes(
    image: tuple[int, ...], taps: tuple[int, int], options: Record, label: str, dilation: tuple[int, int] = (1, 1)
) -> tuple[Axis, Axis]:
    """The vertical and the horizontal axis. image: (N, H, W, C); stride and padding from the operator's options."""
    if len(image) != 4:
        raise ShapeError(f"{label}: expected an image (N, H, W, C), got shape {image}")
    return (
        axis(image[1], taps[0], options.stride_h, dilation[0], options.padding, label),
        axis(image[2], taps[1], options.stride_w, dilation[1], options.padding, label),
    )


def same_padding(
    call: Call, image: Shape, zeros: np.ndarray, axes_of: Callable[[Call, Shape], tuple[Axis, Axis]]
) -> Record | None:
    """The options with padding SAME, if windows then lie on an image as they do now on one with `zeros` around it.

    zeros: (4, 2) elements before and after. What pads behind the last window may differ: nothing reads it.
    """
    if zeros.shape != (4, 2) or zeros[[0, 3]].any():
        return None
    options = call.options.replace(padding=SAME)
    now = axes_of(call, tuple(n + int(before) + int(after) for n, (before, after) in zip(image, zeros, strict=True)))
    same = axes_of(replace(call, node=replace(call.node, options=options)), image)
    fits = all(s.before == n.before + z and s.out == n.out for s, n, z in zip(same, now, zeros[1:3, 0], strict=True))
    return options if fits else None


def taps(rows: Axis, columns: Axis) -> Iterator[tuple[int, int, tuple[slice, ...], tuple[slice, ...]]]:
    """Every tap in TFLite's order: ky, kx, (N, H, W) index of the outputs it reaches, of the inputs they read."""
    for ky in rows.reaching():
        for kx in columns.reaching():
            (out_y, in_y), (out_x, in_x) = rows.span(ky), columns.span(kx)
            yield ky, kx, (slice(None), out_y, out_x), (slice(None), in_y, in_x)
