"""From what was seen of a tensor to the range that its codes shall span: one function for each method."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pyquant.calibrate.ranges import Range
from pyquant.calibrate.seen import Seen
from pyquant.run.observation import BINS

_HALF = BINS // 2


def min_max(seen: Seen) -> Range:
    """All that was seen."""
    return Range(float(seen.lows.min(initial=np.inf)), float(seen.highs.max(initial=-np.inf)), seen.ignored)


def moving_average(seen: Seen, momentum: float = 0.95) -> Range:
    """The first sample's extremes, then `momentum` of what there is and the rest of the next sample's."""
    low, high = float(seen.lows[0]), float(seen.highs[0])
    for a, b in zip(seen.lows[1:].tolist(), seen.highs[1:].tolist(), strict=True):
        low, high = momentum * low + (1 - momentum) * a, momentum * high + (1 - momentum) * b
    return Range(low, high, seen.ignored)


def mean(seen: Seen) -> Range:
    """The mean of the samples' extremes."""
    return Range(float(seen.lows.mean(dtype=np.float64)), float(seen.highs.mean(dtype=np.float64)), seen.ignored)


def median(seen: Seen) -> Range:
    """The median of the samples' extremes."""
    return Range(float(np.median(seen.lows)), float(np.median(seen.highs)), seen.ignored)


def percentile(seen: Seen, keep: float = 99.99) -> Range:
    """What lies between the bins that leave out as much on both sides, `keep` percent of the elements in all."""
    counts, edges = _bins(seen)
    below = np.cumsum(counts)
    left_out = below[-1] * (100 - keep) / 200
    first, last = np.searchsorted(below, left_out, "right"), np.searchsorted(below, below[-1] - left_out, "left")
    return _within(seen, edges[first], edges[last + 1])


def mse(seen: Seen, bits: int = 8) -> Range:
    """The bound on magnitudes of least squared error: that of rounding within it, and of clipping what is beyond."""
    counts, edges = _bins(seen)
    centres = (edges[:-1] + edges[1:]) / 2
    bounds = edges[_HALF + 1 :]
    low, high = _ends(seen, bounds)
    error = counts.sum() * ((high - low) / (2**bits - 1)) ** 2 / 12
    for side, bound in ((centres, high), (-centres, -low)):
        order = np.argsort(-side)  # the furthest out first
        far, n = side[order], counts[order]
        beyond = np.searchsorted(-far, -bound, "left")  # how many bins lie past each bound
        sums = [np.concatenate(([0.0], np.cumsum(n * far**k))) for k in range(3)]
        error = error + sums[2][beyond] - 2 * bound * sums[1][beyond] + bound**2 * sums[0][beyond]
    best = int(np.argmin(error))
    return _within(seen, -bounds[best], bounds[best])


def entropy(seen: Seen, levels: int = 128) -> Range:
    """The bound on magnitudes whose `levels` levels diverge least from the distribution, by Kullback and Leibler."""
    counts, edges = _bins(seen)
    folded = (counts[_HALF:] + counts[_HALF - 1 :: -1]).astype(np.float64)
    folded[0] = folded[1] if folded[1] else folded[0]  # what is exactly 0 is no sign of how fine levels need to be
    used = int(np.flatnonzero(folded)[-1]) + 1 if folded.any() else 1
    best, least = used, np.inf
    for size in range(min(levels, used), used + 1):
        whole = folded[:size].copy()
        whole[-1] += folded[size:].sum()
        level = np.arange(size) * levels // size if size > levels else np.arange(size)
        filled = folded[:size] > 0
        sums, bins = (np.bincount(level, weights=w, minlength=levels) for w in (folded[:size], filled))
        spread = np.where(filled, (sums / np.maximum(bins, 1))[level], 0)
        if spread.sum() == 0:
            continue
        p, q = whole / whole.sum(), spread / spread.sum()
        known = (p > 0) & (q > 0)
        divergence = float((p[known] * np.log(p[known] / q[known])).sum() + p[(p > 0) & (q == 0)].sum())
        if divergence < least:
            best, least = size, divergence
    bound = edges[_HALF + best]
    return _within(seen, -bound, bound)


class Method(NamedTuple):
    """range(seen, **options) -> Range"""

    range: Callable[..., Range]
    by_histogram: bool = False


METHODS = {
    "min_max": Method(min_max),
    "moving_average": Method(moving_average),
    "mean": Method(mean),
    "median": Method(median),
    "percentile": Method(percentile, by_histogram=True),
    "mse": Method(mse, by_histogram=True),
    "entropy": Method(entropy, by_histogram=True),
}


def _bins(seen: Seen) -> tuple[np.ndarray, np.ndarray]:
    """Counts, (BINS,), and the edges of the bins, (BINS + 1,)."""
    assert seen.histogram is not None
    return seen.histogram.counts, np.arange(-_HALF, _HALF + 1) * 2.0**seen.histogram.exponent


def _ends(seen: Seen, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ranges that bounds on magnitudes leave of what was seen, with 0."""
    whole = min_max(seen)
    return np.maximum(-bounds, min(whole.low, 0.0)), np.minimum(bounds, max(whole.high, 0.0))


def _within(seen: Seen, low: float, high: float) -> Range:
    whole = min_max(seen)
    return Range(max(float(low), whole.low), min(float(high), whole.high), seen.ignored)
