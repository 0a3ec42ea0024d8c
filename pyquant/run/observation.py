"""What observers record of a tensor: records in the arena, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

BINS, LEAST_EXPONENT = 2048, -160  # PQ_BINS and PQ_LEAST_EXPONENT in csrc/kernels/observe/observe.h
_FIELDS = [("low", "f4"), ("high", "f4"), ("count", "i8"), ("nan", "i8"), ("infinite", "i8")]
OBSERVATION = np.dtype(_FIELDS)  # pq_observation


@cache
def _detailed(channels: int) -> np.dtype[Any]:
    """With a pq_histogram behind it, and the sums of channels."""
    return np.dtype([*_FIELDS, ("exponent", "i8"), ("bins", "i8", (BINS,)), ("sums", "f8", (channels,))])


def record_bytes(channels: int | None) -> int:
    """Of one record; channels: of a tensor that is observed in detail."""
    return (OBSERVATION if channels is None else _detailed(channels)).itemsize


def record_in(memory: np.ndarray) -> np.ndarray:
    """The record in its bytes, as a structured array without dimensions."""
    more = memory.nbytes - record_bytes(0)
    record: np.ndarray = memory.view(OBSERVATION if more < 0 else _detailed(more // 8)).reshape(())
    return record


def clear(record: np.ndarray) -> None:
    """Nothing seen."""
    record[()] = np.zeros((), record.dtype)
    record["low"], record["high"] = np.inf, -np.inf
    if record.dtype != OBSERVATION:
        record["exponent"] = LEAST_EXPONENT


@dataclass(frozen=True)
class Histogram:
    """How many finite elements lie in bins of a width of 2**exponent: counts[BINS // 2 + i] in [i, i + 1) widths.

    counts: (BINS,) int64.
    """

    exponent: int = LEAST_EXPONENT
    counts: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))

    @staticmethod
    def of(values: np.ndarray) -> Histogram:
        """Of finite numbers."""
        peak = np.abs(values).max(initial=2.0**LEAST_EXPONENT)
        exponent = max(int(np.frexp(peak)[1]) - BINS.bit_length() + 2, LEAST_EXPONENT)
        bins = np.floor(np.ldexp(values.astype(np.float64), -exponent)).astype(np.int64) + BINS // 2
        return Histogram(exponent, np.bincount(bins.ravel(), minlength=BINS))

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
        count, nan, infinite = (sum(r[name].item() for r in records) for name in ("count", "nan", "infinite"))
        histogram = None
        for record in records:
            if record.dtype != OBSERVATION:
                own = Histogram(record["exponent"].item(), record["bins"].copy())
                histogram = own if histogram is None else histogram.joined(own)
        return Observation(low, high, count, nan, infinite, histogram)


@dataclass(frozen=True)
class Recent:
    """Of the finite elements seen of late the least and the greatest; 0 without any. sums: of each channel, (C,)."""

    low: float
    high: float
    sums: np.ndarray | None = None

    @staticmethod
    def taken(records: Sequence[np.ndarray]) -> Recent:
        """Of one tensor in several sessions, whose records begin anew."""
        low, high = min(r["low"].item() for r in records), max(r["high"].item() for r in records)
        low, high = (low, high) if low <= high else (0.0, 0.0)
        sums = None
        for record in records:
            record["low"], record["high"] = np.inf, -np.inf
            if record.dtype != OBSERVATION:
                own = record["sums"].copy()
                sums = own if sums is None or sums.size != own.size else sums + own
                record["sums"] = 0
        return Recent(low, high, sums)
