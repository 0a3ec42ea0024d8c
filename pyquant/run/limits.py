"""How much memory and work a model may ask for, and the account of what it does: kept before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pyquant.errors import RangeError
from pyquant.graph import Node, Subgraph, Tensor
from pyquant.ops import Call

_TEMPORARY = 32  # bytes that a NumPy reference takes for each element that it reads or makes: four arrays of 8 bytes


@dataclass(frozen=True)
class Limits:
    """bytes: of the arena, prepacked weights, computed constants and NumPy's temporaries; operations: of one run.

    One operation is a multiply-accumulate, or what is done for one element.
    """

    bytes: int
    operations: int

    @staticmethod
    def of(graph: Subgraph) -> Limits:
        """The limits where the caller sets none: generous for a model of this size."""
        buffers = {t.buffer: t.buffer.data.size for t in graph.tensors if t.buffer and t.buffer.data is not None}
        size = sum(buffers.values())
        return Limits(SMALLEST.bytes + 64 * size, SMALLEST.operations + 10**5 * size)


SMALLEST = Limits(1 << 30, 10**12)  # what a model may take however small it is


class Meter:
    """Adds up what one model takes. Raises RangeError where that goes past the limits."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.held = self.peak = 0  # bytes
        self.operations = 0

    @property
    def needs(self) -> Limits:
        """The least limits that the model so far keeps to."""
        return Limits(self.peak, self.operations)

    def hold(self, size: int, what: Node | str) -> None:
        """Memory in bytes that is about to be taken, and stays. what: for what, as errors name it."""
        self.borrow(size, what)
        self.held += size

    def release(self, size: int) -> None:
        self.held -= size

    def borrow(self, size: int, what: Node | str) -> None:
        """Memory in bytes that is needed for a moment, beside what stays."""
        if self.held + size > self.peak:
            self.peak = self.held + size
            if self.peak > self.limits.bytes:
                raise RangeError(_excess(what, "bytes", self.peak, self.limits.bytes))

    def work(self, operations: int, what: Node | str) -> None:
        self.operations += operations
        if self.operations > self.limits.operations:
            raise RangeError(_excess(what, "operations", self.operations, self.limits.operations))


def _excess(what: Node | str, unit: str, found: int, limit: int) -> str:
    label = what if isinstance(what, str) else what.label
    return f"{label}: the model needs {found} {unit}, the limit is {limit}; limits=Limits({unit}=..., ...) sets another"


def operations(call: Call) -> int:
    """Of a node that its reference runs, roughly."""
    elements = sum(t.size for t in (*call.node.inputs, *call.node.outputs) if t is not None)
    rules = (call.operator.macs, call.operator.operations)
    return elements + sum(rule(call) for rule in rules if rule is not None)


def temporaries(tensors: Iterable[Tensor | None]) -> int:
    """Bytes that a NumPy reference takes on the way from these inputs to these outputs, roughly."""
    return _TEMPORARY * sum(t.size for t in tensors if t is not None)


def unpacked_bytes(tensor: Tensor) -> int:
    """Of a tensor's value as an array, that of strings without their bytes; 0 for a type without arrays."""
    kind = tensor.dtype.numpy
    return 0 if kind is None else math.prod(tensor.shape) * kind.itemsize


def content_bytes(array: np.ndarray) -> int:
    """What `unpacked_bytes` leaves out: the bytes of strings."""
    return sum(map(len, array.ravel().tolist())) if array.dtype.hasobject else 0
