"""Statistics of how one tensor's values differ."""

from __future__ import annotations

import math

import numpy as np

from pyquant.dtypes import STRING
from pyquant.errors import ShapeError
from pyquant.graph import Node, Tensor
from pyquant.graph.real import real as real_of
from pyquant.validate.report import Divergence, TensorReport

SMALLEST = float(np.finfo(np.float32).tiny)


def real(array: np.ndarray, tensor: Tensor) -> np.ndarray:
    """The real values of a tensor's stored ones, in float64: scale * (stored - zero point) where it is quantized.

    Strings stay as they are.
    """
    if array.dtype.hasobject:
        return array
    if tensor.quantization is None or not (tensor.is_quantized and tensor.dtype.is_quantized_integer):
        return array.astype(np.float64)
    return real_of(array, tensor.quantization)


class Tally:
    """Gathers the statistics of one tensor, sample by sample."""

    def __init__(self, tensor: Tensor, node: Node, tolerance: float, is_output: bool) -> None:
        self.tensor, self.node, self.is_output = tensor, node, is_output
        self.tolerance = tolerance if tensor.dtype.is_float else 0.0
        self.elements = self.equal = 0
        self.max_difference = self.signal = self.noise = 0.0
        self.low, self.high = math.inf, -math.inf
        self.divergence: Divergence | None = None

    def add(self, sample: int, ours: np.ndarray, theirs: np.ndarray, partner: Tensor | None = None) -> None:
        """Count one sample. theirs: as stored in this tensor, or in `partner`, whose real values are then compared."""
        if ours.shape != theirs.shape:
            raise ShapeError(f"tensor {self.tensor.name!r}: ours has shape {ours.shape}, theirs {theirs.shape}")
        if self.tensor.dtype is STRING:  # of which one differs from another by 1
            ours, theirs = np.zeros(ours.shape, np.uint8), np.not_equal(ours, theirs).astype(np.uint8)
        real_ours, real_theirs = real(ours, self.tensor), real(theirs, partner or self.tensor)
        if partner is None:
            ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
        else:
            ours, theirs = real_ours, real_theirs
        with np.errstate(invalid="ignore"):
            equal = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
            difference = np.where(equal, 0.0, np.nan_to_num(np.abs(ours - theirs), nan=np.inf))
            noise = np.where(equal, 0.0, real_ours - real_theirs)
        self.elements += equal.size
        self.equal += int(equal.sum())
        self.max_difference = max(self.max_difference, float(difference.max(initial=0.0)))
        self.signal += float(np.square(real_theirs).sum())
        self.noise += float(np.square(noise).sum())
        self.low = float(theirs.min(initial=self.low))
        self.high = float(theirs.max(initial=self.high))
        beyond = difference > self.tolerance * self._range()
        if self.divergence is None and partner is None and np.any(beyond):
            index = tuple(int(i) for i in np.argwhere(beyond)[0])
            found = float(ours[index]), float(theirs[index])
            self.divergence = Divergence(self.node.label, self.tensor.name, sample, index, *found)

    def report(self) -> TensorReport:
        """What was gathered."""
        relative = self.max_difference / self._range() if self.max_difference else 0.0
        ratio = self.signal / self.noise if self.noise else math.inf
        sqnr = 10 * math.log10(ratio) if ratio > 0 else -math.inf
        counts = self.elements, self.equal, self.max_difference, relative, sqnr
        return TensorReport(
            self.tensor.name, self.node.op, self.tensor.dtype.name, *counts, self.is_output, self.divergence
        )

    def _range(self) -> float:
        """Of their values so far. A constant one counts by its size."""
        span = self.high - self.low
        return span if span > 0 else max(abs(self.high), SMALLEST)
