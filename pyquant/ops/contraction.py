"""How an operator's weights meet its input: what quantizers need to know to choose and correct them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pyquant.ops.operator import Call
from pyquant.ops.window import Axis

MOST_ROWS = 1500  # of one input, spread over it


@dataclass(frozen=True)
class Contraction:
    """Sums of products of the slots x and w, with a bias in slot b: groups of outputs with K terms each.

    weights(call, values of w) -> (groups, outputs, K); restored: its inverse. rows(call, values of x) ->
    (groups, rows, K), what the weights of one output meet, of at most about MOST_ROWS outputs. spread(call, means of
    the channels of x) -> (groups, K), padding not counted. Both None for shapes of x that they do not know.
    by_channel: an output sums a few products with one channel of x, so that no other weights can stand in for one.
    """

    weights: Callable[[Call, np.ndarray], np.ndarray]
    restored: Callable[[Call, np.ndarray], np.ndarray]
    rows: Callable[[Call, np.ndarray], np.ndarray | None]
    spread: Callable[[Call, np.ndarray], np.ndarray | None]
    by_channel: bool = False


def dense() -> Contraction:
    """w: (outputs, K)"""

    def rows(call: Call, x: np.ndarray) -> np.ndarray | None:
        depth = call["w"].shape[1]
        if x.size % depth:
            return None
        found = x.reshape(1, -1, depth)
        return found[:, :: max(found.shape[1] // MOST_ROWS, 1)]

    return Contraction(
        weights=lambda call, w: w[None],
        restored=lambda call, w: w[0],
        rows=rows,
        spread=lambda call, means: means[None] if means.size == call["w"].shape[1] else None,
    )


def convolution(axes_of: Callable[..., tuple[Axis, Axis]]) -> Contraction:
    """w: (outputs, kh, kw, C / groups)"""

    def groups(call: Call) -> int:
        return call["x"].shape[3] // call["w"].shape[3]

    def by_group(call: Call, x: np.ndarray) -> np.ndarray:
        """(rows, kh, kw, C) -> (groups, rows, K)"""
        split = x.reshape(*x.shape[:3], groups(call), -1)
        found: np.ndarray = np.moveaxis(split, 3, 0).reshape(groups(call), len(x), -1)
        return found

    def spread(call: Call, means: np.ndarray) -> np.ndarray | None:
        taps = call["w"].shape[1:3]
        return by_group(call, np.broadcast_to(means, (1, *taps, means.size)))[:, 0] if _known(call, means) else None

    return Contraction(
        weights=lambda call, w: w.reshape(groups(call), len(w) // groups(call), -1),
        restored=lambda call, w: w.reshape(call["w"].shape),
        rows=lambda call, x: by_group(call, _windows(call, x, axes_of)),
        spread=spread,
    )


def depthwise(axes_of: Callable[..., tuple[Axis, Axis]]) -> Contraction:
    """w: (1, kh, kw, C * multiplier); a group for each channel."""

    def weights(call: Call, w: np.ndarray) -> np.ndarray:
        channels = call["x"].shape[3]
        return w.reshape(-1, channels, w.shape[3] // channels).transpose(1, 2, 0)

    def rows(call: Call, x: np.ndarray) -> np.ndarray:
        windows = _windows(call, x, axes_of)
        return windows.reshape(len(windows), -1, windows.shape[3]).transpose(2, 0, 1)

    def spread(call: Call, means: np.ndarray) -> np.ndarray | None:
        taps = math.prod(call["w"].shape[1:3])
        return np.broadcast_to(means[:, None], (means.size, taps)) if _known(call, means) else None

    return Contraction(
        weights=weights,
        restored=lambda call, w: w.transpose(2, 0, 1).reshape(call["w"].shape),
        rows=rows,
        spread=spread,
        by_channel=True,
    )


def _known(call: Call, means: np.ndarray) -> bool:
    return bool(means.size == call["x"].shape[3])


def _windows(call: Call, x: np.ndarray, axes_of: Callable[..., tuple[Axis, Axis]]) -> np.ndarray:
    """(rows, kh, kw, C): what the filter of a convolution lies on."""
    axes = axes_of(call, x.shape, call["w"].shape)
    extents = tuple((axis.taps - 1) * axis.dilation + 1 for axis in axes)
    after = [
        max((axis.out - 1) * axis.stride + extent - axis.size - axis.before, 0)
        for axis, extent in zip(axes, extents, strict=True)
    ]
    pads = [(0, 0), *((axis.before, more) for axis, more in zip(axes, after, strict=True)), (0, 0)]
    windows = sliding_window_view(np.pad(x, pads), extents, axis=(1, 2))  # (N, y, x, C, kh, kw)
    rows, columns = axes
    windows = windows[:, :: rows.stride, :: columns.stride, :, :: rows.dilation, :: columns.dilation]
    every = max(math.isqrt(rows.out * columns.out // MOST_ROWS), 1)
    windows = windows[:, : rows.out : every, : columns.out : every]
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, rows.taps, columns.taps, x.shape[3])
