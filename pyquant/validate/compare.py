"""Compares what our kernels compute with another runtime or another model, tensor by tensor in execution order."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyquant.calibrate import samples
from pyquant.calibrate.data import fit, random_samples
from pyquant.errors import DataError, ShapeError
from pyquant.graph import Model, Node, Tensor
from pyquant.graph import open as open_model
from pyquant.graph.real import real as real_of
from pyquant.run import compile
from pyquant.validate.oracle import RUNTIMES, Oracle
from pyquant.validate.report import Divergence, Report, TensorReport

TOLERANCE = 1e-5  # of the tensor's range: float sums differ in their order, exponentials in their last place
SMALLEST = float(np.finfo(np.float32).tiny)
RANDOM_SAMPLES = 8  # where no data is given


@dataclass(frozen=True)
class Peer:
    """What a model is compared with.

    tensors: those of ours that the peer can tell, each with the peer's own tensor where real values must be compared.
    values: a sample's inputs -> the peer's value for each of our tensors.
    """

    name: str
    numerics: str
    tensors: Mapping[Tensor, Tensor | None]
    values: Callable[[Sequence[np.ndarray]], dict[Tensor, np.ndarray]]
    notes: tuple[str, ...] = ()


def validate(
    model: Model,
    against: str | os.PathLike[str] | Model = "tflite-runtime",
    data: Any = None,
    resolver: str = "reference",
    numerics: str | None = None,
    tolerance: float = TOLERANCE,
    min_sqnr: float | None = None,
    threads: int = 1,
    isa: str | None = None,
) -> Report:
    """Run a model here and elsewhere on the same data, and compare.

    against: tflite-runtime (ai-edge-litert where it cannot be had; the report says so), ai-edge-litert, or another
    model or its path, whose tensors are matched by name, outputs by position, and compared as real values.
    data: any form that `pyquant.calibrate.samples` takes; None is random. Another model's inputs take the real values
    that this model's inputs stand for.
    resolver: the runtime's kernels: reference, optimized, or default (with XNNPACK, which shows outputs only).
    numerics: our arithmetic, tflite or litert; by default the one that the runtime's reference kernels have.
    min_sqnr: judge the outputs by this many dB instead of by equality; against another model 0 dB where None.
    Raises OracleError where the runtime is missing, refuses the model or dies, DataError for unfit data.
    """
    fitted = None if data is None else (list(sample.values()) for sample in samples(data, model))
    feeds = random_samples(model, RANDOM_SAMPLES) if fitted is None else fitted
    if not isinstance(against, Model) and str(against) in RUNTIMES:
        peers = _runtime(model, str(against), resolver, threads)
    else:
        min_sqnr = min_sqnr or 0.0
        peers = _other_model(model, against, threads=threads, isa=isa)
    with peers as peer:
        arithmetic = numerics or peer.numerics
        tallies = {t: tally for t, tally in _tallies(model, tolerance).items() if t in peer.tensors}
        plan = compile(model, keep=list(tallies), numerics=arithmetic, threads=threads, isa=isa)
        count = 0
        for count, arrays in enumerate(feeds, 1):
            ours, theirs = plan.run(*arrays), peer.values(arrays)
            for tensor, array in theirs.items():
                tallies[tensor].add(count - 1, ours[tensor], array, peer.tensors[tensor])
    notes = peer.notes if data is not None else (*peer.notes, f"No data was given: {RANDOM_SAMPLES} random samples.")
    unread = [t.name for t, tally in tallies.items() if not tally.elements]
    if unread:
        notes += (f"{len(unread)} tensors could not be read in {peer.name}: {', '.join(unread)}.",)
    reports = tuple(tally.report() for tally in tallies.values() if tally.elements)
    return Report(peer.name, resolver, arithmetic, count, tolerance, min_sqnr, reports, notes)


def accuracy(model: Model, inputs: Any, labels: np.ndarray, threads: int = 1) -> float:
    """The share of samples whose first output is greatest at the label. inputs: data in any form; labels: (n,) ints."""
    plan = compile(model, threads=threads)
    output = model.main.outputs[0]
    predicted = [plan.run(*sample.values())[output].argmax() for sample in samples(inputs, model)]
    if len(predicted) != len(labels):
        raise DataError(f"{len(labels)} labels for {len(predicted)} samples")
    return float(np.mean(np.asarray(predicted) == np.asarray(labels)))


def real(array: np.ndarray, tensor: Tensor) -> np.ndarray:
    """The real values of a tensor's stored ones, in float64: scale * (stored - zero point) where it is quantized."""
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


def _tallies(model: Model, tolerance: float) -> dict[Tensor, Tally]:
    """One for each computed tensor of numbers, in execution order."""
    outputs = set(model.main.outputs)
    return {
        tensor: Tally(tensor, node, tolerance, tensor in outputs)
        for node in model.main.nodes
        for tensor in node.outputs
        if tensor.dtype.numpy is not None
    }


@contextmanager
def _runtime(model: Model, runtime: str, resolver: str, threads: int) -> Iterator[Peer]:
    """A runtime in a process of its own."""
    shown = model if resolver == "default" else every_tensor_shown(model)
    tensors = model.main.tensors  # in the same order as those of `shown`
    visible = [tensors[shown.main.tensors.index(t)] for t in shown.main.outputs]
    with Oracle(runtime, fallback=True) as oracle:
        oracle.load(shown, resolver, threads)

        def values(arrays: Sequence[np.ndarray]) -> dict[Tensor, np.ndarray]:
            return {tensors[i]: array for i, array in oracle.run(arrays).items()}

        name, notes = f"{oracle.runtime.name} {oracle.version}", (oracle.note,) if oracle.note else ()
        yield Peer(f"{name}, {resolver} kernels", oracle.runtime.numerics, dict.fromkeys(visible), values, notes)


def every_tensor_shown(model: Model) -> Model:
    """A copy that has every computed tensor as an output.

    Asking a runtime to preserve all tensors is not enough: in tflite-runtime 2.14, ADD and SOFTMAX overwrite an input.
    """
    shown = model.copy()
    main = shown.main
    computed = [t for node in main.nodes for t in node.outputs]
    main.outputs = list(dict.fromkeys([*main.outputs, *computed]))
    return shown


@contextmanager
def _other_model(
    model: Model, against: str | os.PathLike[str] | Model, threads: int, isa: str | None
) -> Iterator[Peer]:
    """Another model, run by our own kernels."""
    other = against if isinstance(against, Model) else open_model(against)
    if len(model.main.inputs) != len(other.main.inputs) or len(model.main.outputs) != len(other.main.outputs):
        raise DataError("the models have different numbers of inputs or outputs")
    partners = _partners(model, other)
    plan = compile(other, keep=list(partners.values()), threads=threads, isa=isa)

    def values(arrays: Sequence[np.ndarray]) -> dict[Tensor, np.ndarray]:
        pairs = zip(arrays, model.main.inputs, other.main.inputs, strict=True)
        theirs = plan.run(*(fit(real(array, ours), tensor) for array, ours, tensor in pairs))
        return {ours: theirs[partner] for ours, partner in partners.items()}

    yield Peer("another model" if other is against else str(against), "tflite", partners, values)


def _partners(model: Model, other: Model) -> dict[Tensor, Tensor]:
    """The tensor of the other model that each computed tensor of ours is compared with: of its name and shape."""
    theirs = {(t.name, t.shape): t for node in other.main.nodes for t in node.outputs}
    ours = [t for node in model.main.nodes for t in node.outputs]
    named = {t: theirs[t.name, t.shape] for t in ours if (t.name, t.shape) in theirs}
    return named | dict(zip(model.main.outputs, other.main.outputs, strict=True))
