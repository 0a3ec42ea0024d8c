"""What observers record of a tensor: records in the arena, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

BINS, LEAST_EXPONENT = 2048, -160  # PQ_BINS and PQ_LEAST_EXPONENT in csrc/kernels/observe/observe.h
_FIELDS = [("low", "f4"), ("high", "f4"), ("count", "i8"), ("nan", "i8"), ("infinite", "i8")]
OBSERVATION = np.dtype(_FIELDS)  # pq_observation
WITH_HISTOGRAM = np.dtype([*_FIELDS, ("exponent", "i8"), ("bins", "i8", (BINS,))])  # with a pq_histogram behind it
_NOTHING = (np.inf, -np.inf, 0, 0, 0)


def record_bytes(histogram: bool) -> int:
    """Of one record."""
    return (WITH_HISTOGRAM if histogram else OBSERVATION).itemsize


def record_in(memory: np.ndarray) -> np.ndarray:
    """The record in its bytes, as a structured array without dimensions."""
    kind = OBSERVATION if memory.nbytes == OBSERVATION.itemsize else WITH_HISTOGRAM
    record: np.ndarray = memory.view(kind).reshape(())
    return record


def clear(record: np.ndarray) -> None:
    """Nothing seen."""
    record[()] = _NOTHING if record.dtype == OBSERVATION else (*_NOTHING, LEAST_EXPONENT, 0)


@dataclass(frozen=True)
class Histogram:
    """How many finite elements lie in bins of a width of 2**exponent: counts[BINS // 2 + i] in [i, i + 1) widths.

    counts: (BINS,) int64.
    """

    exponent: int = LEAST_EXPONENT
    counts: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def widened(self, exponent: int) -> Histogram:
        """The same elements in bins of a greater width."""
        counts = self.counts
        for _ in range(min(exponent - self.exponent, 11)):  # after which two bins hold all
            pairs = counts.reshape(-1, 2).sum(axis=1)
            counts = np.zeros(BINS, np.int64)
            counts[BINS // 4 : -BINS // 4] = pairs
        return Histogram(exponent, counts)

    def joined(self, other: Histogram) -> Histogram:
        """The elements of both: in any order and grouping the same."""
        exponent = max(self.exponent, other.exponent)
        return Histogram(exponent, self.widened(exponent).counts + other.widened(exponent).counts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return self.exponent == other.exponent and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Observation:
    """What a tensor held over all runs. low, high: of its finite elements, 0 without any; the rest are counts."""

    low: float
    high: float
    count: int
    nan: int
    infinite: int
    histogram: Histogram | None = None

    @property
    def ignored(self) -> int:
        return self.nan + self.infinite

    @staticmethod
    def of(records: Sequence[np.ndarray]) -> Observation:
        """Of one tensor in several sessions."""
        low, high = min(r["low"].item() for r in records), max(r["high"].item() for r in records)
        low, high = (low, high) if low <= high else (0.0, 0.0)
        counts = (sum(r[name].item() for r in records) for name in ("count", "nan", "infinite"))
        histogram = None
        for record in records:
            if record.dtype == WITH_HISTOGRAM:
                own = Histogram(record["exponent"].item(), record["bins"].copy())
                histogram = own if histogram is None else histogram.joined(own)
        return Observation(low, high, *counts, histogram)
