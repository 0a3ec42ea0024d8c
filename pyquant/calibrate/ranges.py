"""What calibration learns of one tensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Range:
    """The least and greatest finite value seen. ignored: how many values were NaN or infinite. Nothing seen: 0..0."""

    low: float = 0.0
    high: float = 0.0
    ignored: int = 0

    @staticmethod
    def of(values: np.ndarray) -> Range:
        """The range of an array."""
        finite = values[np.isfinite(values)]
        if finite.size == 0:
            return Range(ignored=values.size)
        return Range(float(finite.min()), float(finite.max()), values.size - finite.size)

    def joined(self, other: Range) -> Range:
        """The range that holds both."""
        return Range(min(self.low, other.low), max(self.high, other.high), self.ignored + other.ignored)
