"""Where a window that slides over an image meets it: output size, padding, and the part of the image under each tap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from pyquant.errors import ShapeError
from pyquant.ops.operator import Call, Shape
from pyquant.wire import Record

SAME, VALID = 0, 1  # Padding in schema/tflite.fbs
_NO_ZEROS = ((0, 0),) * 4


@dataclass(frozen=True)
class Axis:
    """One spatial axis: tap k of output o reads input o * stride - before + k * dilation, if that is inside."""

    size: int  # of the image
    taps: int
    stride: int
    dilation: int
    before: int  # padding in front
    out: int  # windows

    @property
    def meets(self) -> bool:
        """Whether every window, from its first tap to its last, meets the image."""
        return self.before <= (self.taps - 1) * self.dilation and (self.out - 1) * self.stride - self.before < self.size

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


def axis(
    size: int, taps: int, stride: int, dilation: int, padding: int, call: Call, zeros: Sequence[int] = (0, 0)
) -> Axis:
    """Place windows along an axis; of an odd padding the larger part goes after. Raises ShapeError where none fits.

    zeros: how many lie before and after the image, as a part of it for `padding`.
    """
    before, after = zeros
    found = _axis(size + before + after, taps, stride, dilation, padding)
    if isinstance(found, str):
        raise ShapeError(f"{call.label}: {found}")
    return replace(found, size=size, before=found.before + before) if before or after else found


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


def axes(call: Call, image: Shape, taps: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> tuple[Axis, Axis]:
    """The vertical and the horizontal axis. image: (N, H, W, C); stride and padding from the operator's options."""
    options = call.options
    if len(image) != 4:
        raise ShapeError(f"{call.label}: expected an image (N, H, W, C), got shape {image}")
    zeros = _NO_ZEROS if call.zeros is None else call.zeros.tolist()
    padding = options.padding
    return (
        axis(image[1], taps[0], options.stride_h, dilation[0], padding, call, zeros[1]),
        axis(image[2], taps[1], options.stride_w, dilation[1], padding, call, zeros[2]),
    )


def pads_image(call: Call, axes_of: Callable[[Call, Shape], tuple[Axis, Axis]]) -> bool:
    """Whether the zeros of a call lie around its image alone, so that windows see them as they see padding."""
    zeros = call.zeros
    if zeros is None or zeros.shape != (4, 2) or zeros[[0, 3]].any():
        return False
    return all(axis.meets for axis in axes_of(call, call["x"].shape))


def same_padding(
    call: Call, image: Shape, zeros: np.ndarray, axes_of: Callable[[Call, Shape], tuple[Axis, Axis]]
) -> Record | None:
    """The options with padding SAME, if windows then lie on an image as they do now on one with `zeros` around it.

    zeros: (4, 2) elements before and after. What pads behind the last window may differ: nothing reads it.
    """
    if zeros.shape != (4, 2) or zeros[[0, 3]].any():
        return None
    options = call.options.replace(padding=SAME)
    now = axes_of(replace(call, zeros=zeros), image)
    same = axes_of(replace(call, node=replace(call.node, options=options)), image)
    fits = all(s.before == n.before and s.out == n.out for s, n in zip(same, now, strict=True))
    return options if fits else None


def taps(rows: Axis, columns: Axis) -> Iterator[tuple[int, int, tuple[slice, ...], tuple[slice, ...]]]:
    """Every tap in TFLite's order: ky, kx, (N, H, W) index of the outputs it reaches, of the inputs they read."""
    for ky in rows.reaching():
        for kx in columns.reaching():
            (out_y, in_y), (out_x, in_x) = rows.span(ky), columns.span(kx)
            yield ky, kx, (slice(None), out_y, out_x), (slice(None), in_y, in_x)
