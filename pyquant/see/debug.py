"""Where a quantized model loses accuracy: each operator's own error, what has added up before it, its constants."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pyquant.calibrate import samples
from pyquant.calibrate.data import fit
from pyquant.dtypes import FLOAT32
from pyquant.errors import GraphError, PyQuantError
from pyquant.graph import Model, Node, Tensor
from pyquant.graph.cut import extract
from pyquant.graph.real import real_values
from pyquant.ops import find, get
from pyquant.run import Plan, compile
from pyquant.see.match import Pairs
from pyquant.see.overlay import overlay
from pyquant.validate.tally import real

BINS = 64  # of a histogram


@dataclass(frozen=True)
class Error:
    """Of values beside those of the float model. sqnr: signal to noise, dB. mean: what is added on average."""

    sqnr: float
    largest: float
    mean: float
    cosine: float


@dataclass(frozen=True)
class NodeErrors:
    """own: of the operator alone, fed with what the float model has there; None where it does not run alone.

    accumulated: in the whole model. weights, bias: of the constants. saturated: the share of output codes at an end of
    the type. histogram: counts of the float output in BINS steps from low to high.
    """

    op: str
    name: str
    type: str
    own: Error | None
    accumulated: Error
    weights: Error | None
    bias: Error | None
    saturated: float
    low: float
    high: float
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class Errors:
    """Of the operators that both models have, those of the least own signal to noise first."""

    model: Model
    nodes: Mapping[Node, NodeErrors]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"operators": [asdict(row) for row in self.nodes.values()]}

    def to_csv(self) -> str:
        """A line for each operator."""
        text = io.StringIO()
        rows = [_flat(row) for row in self.nodes.values()]
        writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def overlay(self) -> dict[str, Any]:
        """The noise of each operator's own, in dB below its signal, for Model Explorer."""
        return overlay(self.model, {node: -row.own.sqnr for node, row in self.nodes.items() if row.own is not None})


class _Sums:
    """Adds up what an Error says."""

    def __init__(self) -> None:
        self.signal = self.noise = self.found = self.product = self.added = self.largest = 0.0
        self.count = 0

    def add(self, found: np.ndarray, wanted: np.ndarray) -> None:
        error = found - wanted
        self.signal += float(np.square(wanted).sum())
        self.found += float(np.square(found).sum())
        self.product += float((found * wanted).sum())
        self.noise += float(np.square(error).sum())
        self.added += float(error.sum())
        self.largest = max(self.largest, float(np.abs(error).max(initial=0.0)))
        self.count += error.size

    def error(self) -> Error:
        sqnr = math.inf if not self.noise else 10 * math.log10(max(self.signal, 1e-300) / self.noise)
        length = math.sqrt(self.signal * self.found)
        cosine = self.product / length if length else float(self.signal == self.found)
        return Error(sqnr, self.largest, self.added / max(self.count, 1), cosine)


def debug(model: Model, small: Model, data: Any) -> Errors:
    """Compare a quantized model, operator by operator, with the float one that it was made from.

    data: in any form that `pyquant.calibrate.samples` takes, of the float model. Raises DataError where there is none,
    GraphError where the two have no operator in common.
    """
    pairs = Pairs(model.main, small.main)
    both = {a: b for a, b in pairs.nodes.items() if a.outputs and a.outputs[0].dtype is FLOAT32 and not _is_cast(b)}
    if not both:
        raise GraphError("the two models have no operator in common")
    partners = {b.outputs[0]: a.outputs[0] for a, b in both.items()} | dict(
        zip(small.main.inputs, model.main.inputs, strict=False)
    )
    watched = [_Watched(small, a, b, partners) for a, b in both.items()]
    plan, own_plan = compile(model, keep="all", exact_floats=True), compile(small, keep="all")
    for sample in samples(data, model):
        values = plan.run(*sample.values())
        fed = [fit(array, t) for array, t in zip(sample.values(), small.main.inputs, strict=True)]
        found = own_plan.run(*fed)
        for one in watched:
            one.add(values, found)
    rows = {one.node: one.errors() for one in watched}
    order = sorted(rows, key=lambda node: math.inf if rows[node].own is None else rows[node].own.sqnr)  # type: ignore[union-attr]
    return Errors(small, {node: rows[node] for node in order})


class _Watched:
    """One operator of the float model and its partner."""

    def __init__(self, small: Model, before: Node, node: Node, partners: Mapping[Tensor, Tensor]) -> None:
        self.before, self.node = before, node
        self.own, self.all = _Sums(), _Sums()
        self.saturated = self.count = 0
        self.histogram: np.ndarray = np.zeros(BINS, np.int64)
        self.low = self.high = 0.0
        writers = {t: n for n in small.main.nodes for t in n.outputs}
        self.given = list(dict.fromkeys(t for t in node.inputs if t is not None and not t.is_constant))
        self.sources = [partners.get(_uncast(t, writers)) for t in self.given]
        self.plan: Plan | None = None
        if all(source is not None for source in self.sources):
            try:
                self.plan = compile(extract(small, self.given, node.outputs))
            except PyQuantError:  # it shares a state with others
                self.plan = None

    def add(self, values: Mapping[Tensor, np.ndarray], found: Mapping[Tensor, np.ndarray]) -> None:
        tensor, wanted = self.node.outputs[0], values[self.before.outputs[0]].astype(np.float64)
        stored = found[tensor]
        self.all.add(real(stored, tensor).reshape(wanted.shape), wanted)
        if tensor.dtype.lo is not None:
            self.saturated += int(((stored == tensor.dtype.lo) | (stored == tensor.dtype.hi)).sum())
        self.count += stored.size
        self._count(wanted)
        if self.plan is not None and all(t is None or t in values for t in self.sources):
            fed = [
                fit(values[source].reshape(t.shape), t)
                for t, source in zip(self.given, self.sources, strict=True)
                if source is not None
            ]
            alone = self.plan(*fed)
            result = alone[0] if isinstance(alone, tuple) else alone
            self.own.add(real(result, tensor).reshape(wanted.shape), wanted)

    def errors(self) -> NodeErrors:
        tensor = self.node.outputs[0]
        return NodeErrors(
            self.node.op,
            self.before.outputs[0].name,
            tensor.dtype.name,
            self.own.error() if self.own.count else None,
            self.all.error(),
            self._constant("weight"),
            self._constant("bias"),
            self.saturated / max(self.count, 1),
            self.low,
            self.high,
            tuple(self.histogram.tolist()),
        )

    def _count(self, values: np.ndarray) -> None:
        """The first sample's range sets the steps; what is beyond counts at the ends."""
        if self.low == self.high:
            self.low, self.high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
        if self.low < self.high:
            counts, _ = np.histogram(np.clip(values, self.low, self.high), BINS, (self.low, self.high))
            self.histogram = self.histogram + counts

    def _constant(self, role: str) -> Error | None:
        operator = get(self.node.op)
        for slot, a, b in zip(operator.slots(self.node.inputs), self.before.inputs, self.node.inputs, strict=False):
            if slot.role == role and a is not None and b is not None and a.is_constant and b.is_constant:
                sums = _Sums()
                sums.add(_values(b).astype(np.float64), _values(a).astype(np.float64))
                return sums.error()
        return None


def _values(tensor: Tensor) -> np.ndarray:
    stored = tensor.data
    assert stored is not None
    return real_values(tensor) if tensor.dtype is FLOAT32 or tensor.is_quantized else stored


def _is_cast(node: Node) -> bool:
    operator = find(node.op)
    return operator is None or operator.cast


def _uncast(tensor: Tensor, writers: Mapping[Tensor, Node]) -> Tensor:
    """The tensor whose real values this one holds by way of casts."""
    while tensor in writers and _is_cast(writers[tensor]) and writers[tensor].inputs[0] is not None:
        source = writers[tensor].inputs[0]
        assert source is not None
        tensor = source
    return tensor


def _flat(row: NodeErrors) -> dict[str, Any]:
    flat: dict[str, Any] = {"op": row.op, "name": row.name, "type": row.type}
    for name in ("own", "accumulated", "weights", "bias"):
        error = getattr(row, name)
        for field in ("sqnr", "largest", "mean", "cosine"):
            flat[f"{name}_{field}"] = "" if error is None else getattr(error, field)
    return {**flat, "saturated": row.saturated, "low": row.low, "high": row.high}


def table(errors: Errors, most: int | None = None) -> tuple[Sequence[str], list[list[str]]]:
    """Header and rows of a table, the worst operators first."""
    header = ["operator", "output", "type", "own dB", "all dB", "weights dB", "mean", "max", "saturated"]
    rows = [
        [
            row.op,
            row.name,
            row.type,
            _decibel(row.own),
            _decibel(row.accumulated),
            _decibel(row.weights),
            "" if row.own is None else f"{row.own.mean:.2g}",
            "" if row.own is None else f"{row.own.largest:.3g}",
            f"{100 * row.saturated:.2f} %",
        ]
        for row in list(errors.nodes.values())[:most]
    ]
    return header, rows


def _decibel(error: Error | None) -> str:
    return "" if error is None else "exact" if error.sqnr == math.inf else f"{error.sqnr:.1f}"
