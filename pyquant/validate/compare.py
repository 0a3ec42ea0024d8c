"""Compares what our kernels compute with another runtime or another model, tensor by tensor in execution order."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pyquant.calibrate import samples
from pyquant.calibrate.data import random_samples
from pyquant.errors import DataError, OptionError
from pyquant.graph import Model, Tensor
from pyquant.ops import NUMERICS
from pyquant.run.compile import compile
from pyquant.validate.alone import Alone
from pyquant.validate.golden import is_recording, of_recording, recording
from pyquant.validate.oracle import RUNTIMES
from pyquant.validate.peers import computed, of_model, of_numerics, of_runtime
from pyquant.validate.report import Report
from pyquant.validate.tally import Tally

MIN_SQNR = 10.0  # dB against another model: noise a tenth of the power
TOLERANCE = 1e-5  # of the tensor's range: float sums differ in their order, exponentials in their last place
RANDOM_SAMPLES = 8  # where no data is given


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
    own: bool = False,
    golden: str | os.PathLike[str] | None = None,
) -> Report:
    """Run a model here and elsewhere on the same data, and compare.

    against: tflite-runtime (ai-edge-litert where it cannot be had; the report says so), ai-edge-litert, one of our
    arithmetics (tflite, litert, single-rounding, edgetpu), or another model or its path, whose tensors are matched by
    name, outputs by position, and compared as real values.
    data: any form that `pyquant.calibrate.samples` takes; None is random. Another model's inputs take the real values
    that this model's inputs stand for.
    resolver: the runtime's kernels: reference, optimized, or default (with XNNPACK, which shows outputs only).
    numerics: our arithmetic; by default the one that the runtime's reference kernels have.
    tolerance: of floats, as part of their range. min_sqnr: judge the outputs by this many dB instead of by equality;
    against another model by 10 dB where None.
    own: also run each operator alone, fed with what the other side fed it: the report's `first_own_difference` is
    the first operator that is itself at odds, whatever came before it.
    golden: a folder. Where it is not there yet, the other side's inputs and tensors are recorded in it; where it is,
    they stand for `against` and `data`, which are not looked at then, and no runtime is needed.
    Raises OracleError where the runtime is missing, refuses the model or dies, DataError for unfit data, OptionError.
    """
    if not 0 <= tolerance < math.inf:
        raise OptionError(f"tolerance: found {tolerance}, expected a number of at least 0")
    if min_sqnr is not None and math.isnan(min_sqnr):
        raise OptionError(f"min_sqnr: found {min_sqnr}, expected a number")
    recorded = golden is not None and is_recording(Path(golden))
    if recorded:
        peers = of_recording(model, Path(golden or ""))
    elif isinstance(against, str) and against in NUMERICS:
        peers = of_numerics(model, against, threads, isa)
    elif isinstance(against, str) and against in RUNTIMES:
        peers = of_runtime(model, against, resolver, threads)
    else:
        if not isinstance(against, Model) and not Path(against).exists():
            known = ", ".join((*RUNTIMES, *NUMERICS))
            raise OptionError(f"against: found {str(against)!r}, expected a model, its file, or one of {known}")
        min_sqnr = MIN_SQNR if min_sqnr is None else min_sqnr
        peers = of_model(model, against, threads=threads, isa=isa)
    with peers as peer, ExitStack() as stack:
        arithmetic = numerics or peer.numerics
        tallies = {t: tally for t, tally in _tallies(model, tolerance).items() if t in peer.tensors}
        alone = Alone(model, peer, tolerance, arithmetic, isa) if own else None
        plan = compile(model, keep=list(tallies), numerics=arithmetic, threads=threads, isa=isa, exact_floats=True)
        write = stack.enter_context(recording(model, peer, Path(golden))) if golden and not recorded else None
        count = 0
        for count, arrays in enumerate(peer.feeds or _feeds(model, data), 1):
            ours, theirs = plan.run(*arrays), peer.values(arrays)
            for tensor, array in theirs.items():
                tallies[tensor].add(count - 1, ours[tensor], array, peer.tensors[tensor])
            if alone:
                alone.add(count - 1, arrays, theirs)
            if write:
                write(arrays, theirs)
    notes = peer.notes
    if recorded and data is not None:
        notes += ("The recording holds its own inputs: the data that were given were not read.",)
    others = [s.key for s in model.signatures if s.subgraph is not model.main]
    if others:
        notes += (f"Only the first subgraph was compared, not signatures {', '.join(others)}.",)
    if data is None and peer.feeds is None:
        notes += (f"No data was given: {RANDOM_SAMPLES} random samples.",)
    unread = [t.name for t, tally in tallies.items() if not tally.elements]
    if unread:
        notes += (f"{len(unread)} tensors could not be read in {peer.name}: {', '.join(unread)}.",)
    reports = [tally.report() for tally in tallies.values() if tally.elements]
    first = None
    if alone:
        notes += alone.notes
        reports = [replace(r, own=alone.differences.get(t)) for t, r in zip(_seen(tallies), reports, strict=True)]
        first = alone.first
    return Report(peer.name, resolver, arithmetic, count, tolerance, min_sqnr, tuple(reports), notes, first)


def _feeds(model: Model, data: Any) -> Iterator[list[np.ndarray]]:
    """The samples in input order, random ones without data."""
    if data is None:
        return random_samples(model, RANDOM_SAMPLES)
    return (list(sample.values()) for sample in samples(data, model))


def _seen(tallies: Mapping[Tensor, Tally]) -> list[Tensor]:
    return [t for t, tally in tallies.items() if tally.elements]


def accuracy(model: Model, inputs: Any, labels: np.ndarray, threads: int = 1) -> float:
    """The share of samples whose first output is greatest at the label. inputs: data in any form; labels: (n,) ints.

    Raises DataError for labels of another shape.
    """
    if np.ndim(labels) != 1:
        raise DataError(f"labels: found shape {np.shape(labels)}, expected one whole number for each sample")
    plan = compile(model, threads=threads)
    output = model.main.outputs[0]
    predicted = [plan.run(*sample.values())[output].argmax() for sample in samples(inputs, model)]
    if len(predicted) != len(labels):
        raise DataError(f"{len(labels)} labels for {len(predicted)} samples")
    return float(np.mean(np.asarray(predicted) == np.asarray(labels)))


def _tallies(model: Model, tolerance: float) -> dict[Tensor, Tally]:
    """One for each computed tensor of numbers or strings, in execution order."""
    outputs = set(model.main.outputs)
    nodes = {tensor: node for node in model.main.nodes for tensor in node.outputs}
    return {t: Tally(t, nodes[t], tolerance, t in outputs) for t in computed(model)}
