"""What calibration saw of one tensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyquant.run.observation import Histogram


@dataclass(frozen=True, eq=False)
class Seen:
    """lows, highs: (samples,) float32, of the finite elements in each sample, 0 without any. count: elements in all.

    ignored: how many of them were NaN or infinite. histogram: of the others.
    """

    lows: np.ndarray
    highs: np.ndarray
    count: int
    ignored: int
    histogram: Histogram | None = None

    def joined(self, other: Seen) -> Seen:
        """These samples, then others."""
        both = None
        if self.histogram is not None and other.histogram is not None:
            both = self.histogram.joined(other.histogram)
        lows, highs = (np.concatenate(pair) for pair in ((self.lows, other.lows), (self.highs, other.highs)))
        return Seen(lows, highs, self.count + other.count, self.ignored + other.ignored, both)
