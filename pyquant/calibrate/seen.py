"""What calibration saw of one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyquant.run.observation import Histogram


@dataclass(frozen=True, eq=False)
class Seen:
    """lows, highs: (samples,) float32, of the finite elements in each sample, 0 without any. count: elements in all.

    ignored: how many of them were NaN or infinite. histogram: of the others. sums: (samples, channels), of the elements
    of each channel, the last dimension.
    """

    lows: np.ndarray
    highs: np.ndarray
    count: int
    ignored: int
    histogram: Histogram | None = None
    sums: np.ndarray | None = None

    @staticmethod
    def of(samples: Sequence[np.ndarray], detailed: bool) -> Seen:
        """Of the elements of each sample."""
        finite = [values[np.isfinite(values)] for values in samples]
        lows, highs = (np.array([end(v) if v.size else 0 for v in finite], np.float32) for end in (np.min, np.max))
        count, known = sum(v.size for v in samples), np.concatenate(finite)
        return Seen(lows, highs, count, count - known.size, Histogram.of(known) if detailed else None)

    @property
    def means(self) -> np.ndarray | None:
        """Of the channels, (channels,) float64; None where sums are not known, or not finite."""
        if self.sums is None or not np.isfinite(self.sums).all():
            return None
        means: np.ndarray = self.sums.sum(axis=0) * (self.sums.shape[1] / max(self.count, 1))
        return means

    def joined(self, other: Seen) -> Seen:
        """These samples, then others."""
        both = None
        if self.histogram is not None and other.histogram is not None:
            both = self.histogram.joined(other.histogram)
        lows, highs = (np.concatenate(pair) for pair in ((self.lows, other.lows), (self.highs, other.highs)))
        sums = None
        if self.sums is not None and other.sums is not None and self.sums.shape[1] == other.sums.shape[1]:
            sums = np.concatenate((self.sums, other.sums))
        return Seen(lows, highs, self.count + other.count, self.ignored + other.ignored, both, sums)
