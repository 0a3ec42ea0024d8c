"""Runs a float model on representative data, and keeps what its values were."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from itertools import islice
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np

from pyquant.calibrate.data import samples
from pyquant.calibrate.methods import METHODS
from pyquant.calibrate.ranges import Range
from pyquant.calibrate.seen import Seen
from pyquant.calibrate.statistics import Statistics, sample_digest
from pyquant.dtypes import FLOAT32
from pyquant.graph import Model, Tensor, dump, load
from pyquant.run.compile import compile
from pyquant.run.observation import Histogram, Observation, Recent
from pyquant.run.plan import Session

SHARD = 16  # samples that one task of an executor takes
AT_ONCE = 4  # samples that wait for each thread


class Executor(Protocol):
    """What `concurrent.futures` calls so, and Dask's `client.get_executor()` returns."""

    def submit(self, function: Any, /, *args: Any, **named: Any) -> Any: ...


def calibrate(
    model: Model,
    data: Any,
    threads: int | None = None,
    method: str = "min_max",
    executor: Executor | None = None,
    **options: Any,
) -> dict[Tensor, Range]:
    """The range of every float32 tensor of the main subgraph that is computed or fed, over all samples of `data`.

    data: any form that `samples` takes, or the Statistics of an earlier run. method: one of
    `pyquant.calibrate.METHODS`, with its options. executor: see `collect`.
    Raises DataError where the data holds no sample or does not fit the inputs, OptionError for another method.
    """
    if isinstance(data, Statistics):
        return data.ranges(model, method, **options)
    by_histogram = method in METHODS and METHODS[method].by_histogram
    return collect(model, data, threads, by_histogram, executor).ranges(model, method, **options)


def collect(
    model: Model,
    data: Any,
    threads: int | None = None,
    detailed: bool = True,
    executor: Executor | None = None,
) -> Statistics:
    """What the float32 tensors of the main subgraph hold, sample by sample; `detailed`: with histograms and means.

    threads: samples that run at once; None for one on each processor. executor: runs samples elsewhere, SHARD at a
    time: threads, processes, or a cluster. The result is the same to the last bit. Variables go on from sample to
    sample, so that models that have some run them in turn. Raises as `calibrate`.
    """
    feeds = (list(sample.values()) for sample in samples(data, model))
    observer = _Observer(model, detailed)
    if observer.has_state or executor is None:
        return observer.observed(feeds, 1 if observer.has_state else threads or os.cpu_count() or 1)
    blob = dump(model)
    shards = iter(lambda: list(islice(feeds, SHARD)), [])
    tasks = [executor.submit(observe_shard, blob, shard, threads or 1, detailed) for shard in shards]
    found = Statistics()
    for task in tasks:
        found = found.joined(task.result())
    return found


def observe_shard(model: bytes, feeds: Sequence[Sequence[np.ndarray]], threads: int, detailed: bool) -> Statistics:
    """What an executor runs. feeds: for each sample the arrays of the inputs, in their order."""
    return _Observer(load(model), detailed).observed(feeds, threads)


class _Observer:
    """A model with sessions that record what its tensors hold."""

    def __init__(self, model: Model, detailed: bool) -> None:
        self.tensors = {t: i for i, t in enumerate(model.main.tensors) if t.dtype is FLOAT32 and not t.is_constant}
        self.plan = compile(model, observers=list(self.tensors), detailed=detailed)
        self.sessions = [self.plan.session()]
        self.has_state = bool(self.sessions[0].variables())

    def observed(self, feeds: Iterable[Sequence[np.ndarray]], threads: int) -> Statistics:
        """threads: as many samples run at once, each in a session of its own."""
        self.sessions += [self.plan.session() for _ in range(threads - len(self.sessions))]
        idle = SimpleQueue[Session]()
        for session in self.sessions:
            idle.put(session)

        def run(arrays: Sequence[np.ndarray]) -> tuple[str, dict[Tensor, Recent]]:
            session = idle.get()
            try:
                session.run(*arrays)
                return sample_digest(arrays), session.recent()
            finally:
                idle.put(session)

        digests: list[str] = []
        samples_of: dict[Tensor, list[Recent]] = {}
        source = iter(feeds)
        with ThreadPoolExecutor(threads) as pool:
            for batch in iter(lambda: list(islice(source, AT_ONCE * threads)), []):
                for digest, recent in pool.map(run, batch) if threads > 1 else map(run, batch):
                    digests.append(digest)
                    for tensor, seen in recent.items():
                        samples_of.setdefault(tensor, []).append(seen)
        whole = [session.observations() for session in self.sessions]
        tensors = {
            self.tensors[t]: _seen([seen[t] for seen in whole if t in seen], samples)
            for t, samples in samples_of.items()
        }
        return Statistics(tuple(digests), tensors)


def _seen(parts: Sequence[Observation], samples: Sequence[Recent]) -> Seen:
    lows, highs = (np.array([getattr(r, end) for r in samples], np.float32) for end in ("low", "high"))
    sums = [recent.sums for recent in samples if recent.sums is not None]
    if len({one.shape for one in sums}) > 1:  # of channels that are not the same ones in all samples
        sums = []
    histograms = [part.histogram for part in parts if part.histogram is not None]
    histogram = reduce(Histogram.joined, histograms) if histograms else None
    counts = sum(part.count for part in parts), sum(part.ignored for part in parts)
    return Seen(lows, highs, *counts, histogram, np.array(sums) if sums else None)
