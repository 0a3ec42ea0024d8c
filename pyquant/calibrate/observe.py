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

from pyquant.calibrate.data import Sample, samples
from pyquant.calibrate.methods import METHODS
from pyquant.calibrate.ranges import Range
from pyquant.calibrate.seen import Seen
from pyquant.calibrate.states import Told, numbered, stateful, with_intermediates
from pyquant.calibrate.statistics import Statistics, sample_digest
from pyquant.dtypes import FLOAT32, dtype
from pyquant.graph import Model, Tensor, dump, load
from pyquant.run.compile import compile
from pyquant.run.observation import Histogram, Observation, Recent
from pyquant.run.plan import Plan, Session

RESOURCE = dtype("resource")
SHARD = 16  # samples that one task of an executor takes
AT_ONCE = 4  # samples that wait for each thread


class Executor(Protocol):
    """What `concurrent.futures` calls so, and Dask's `client.get_executor()` returns."""

    def submit(self, function: Any, /, *args: Any, **named: Any) -> Any: ...


# What one sample feeds: the place of its subgraph in the model, and the arrays of the inputs, in their order.
Feed = tuple[int, Sequence[np.ndarray]]


def calibrate(
    model: Model,
    data: Any,
    threads: int | None = None,
    method: str = "min_max",
    executor: Executor | None = None,
    **options: Any,
) -> dict[Tensor, Range]:
    """The range of every float32 tensor that is computed or fed, over all samples of `data`.

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
    """What the float32 tensors of the model hold, sample by sample; `detailed`: with histograms and means.

    In subgraphs that operators run, this is what they hold in all rounds of one sample. (signature key, dict) samples
    run the signature's subgraph.
    threads: samples that run at once; None for one on each processor. executor: runs samples elsewhere, SHARD at a
    time: threads, processes, or a cluster. The result is the same to the last bit.
    States and variables go on from sample to sample, so that a model that has some runs them here, in turn: one
    iterable is one sequence. They begin anew in each call; several sequences are `joined` Statistics of theirs. Each
    signature has variables of its own. Raises as `calibrate`.
    """
    model = with_intermediates(model)
    observer = _Observer(model, detailed)
    feeds = (observer.feed(sample) for sample in samples(data, model, every=True))
    if observer.has_state or executor is None:
        return observer.observed(feeds, 1 if observer.has_state else threads or os.cpu_count() or 1)
    blob = dump(model)
    shards = iter(lambda: list(islice(feeds, SHARD)), [])
    tasks = [executor.submit(observe_shard, blob, shard, threads or 1, detailed) for shard in shards]
    found = Statistics()
    for task in tasks:
        found = found.joined(task.result())
    return found


def observe_shard(model: bytes, feeds: Sequence[Feed], threads: int, detailed: bool) -> Statistics:
    """What an executor runs."""
    return _Observer(load(model), detailed).observed(feeds, threads)


class _Observer:
    """A model, which names all intermediates, with sessions that record what its tensors hold."""

    def __init__(self, model: Model, detailed: bool) -> None:
        self.model, self.detailed, self.index = model, detailed, {t: i for i, t in enumerate(numbered(model))}
        self.told = [[Told(node) for node in stateful(graph)] for graph in model.subgraphs]
        self.plans = {0: self._plan(0)}
        others = (t for graph in model.subgraphs[1:] for t in graph.tensors)
        variables = self.plans[0].session().variables()
        self.has_state = bool(variables) or any(t.is_variable or t.dtype is RESOURCE for t in others)

    def feed(self, sample: Sample) -> Feed:
        """sample: of the main subgraph's inputs, or of a signature's."""
        graphs = self.model.subgraphs
        place = next((i for i, graph in enumerate(graphs) if sample.keys() == set(graph.inputs)), 0) if sample else 0
        return place, list(sample.values())

    def observed(self, feeds: Iterable[Feed], threads: int) -> Statistics:
        """threads: as many samples run at once, each in a session of its own."""
        sessions: list[Session] = []
        idle: dict[int, SimpleQueue[Session]] = {}
        digests: list[str] = []
        samples_of: dict[Tensor, list[Recent]] = {}
        inner: dict[Tensor, Seen] = {}

        def prepare(feed: Feed) -> Feed:
            if feed[0] not in idle:
                own = [self._of(feed[0]).session() for _ in range(threads)]
                idle[feed[0]] = SimpleQueue()
                for session in own:
                    idle[feed[0]].put(session)
                sessions.extend(own)
            return feed

        def run(feed: Feed) -> tuple[str, dict[Tensor, Recent], dict[Tensor, np.ndarray]]:
            place, arrays = feed
            session = idle[place].get()
            try:
                told = self.told[place]
                before = session.variables() if told else {}
                values = {**before, **session.run(*arrays)}
                states = {t: found for each in told for t, found in each.of(values).items()}
                return sample_digest(arrays), session.recent(), states
            finally:
                idle[place].put(session)

        source = map(prepare, feeds)
        with ThreadPoolExecutor(threads) as pool:
            for batch in iter(lambda: list(islice(source, AT_ONCE * threads)), []):
                for digest, recent, states in pool.map(run, batch) if threads > 1 else map(run, batch):
                    digests.append(digest)
                    for tensor, seen in recent.items():
                        samples_of.setdefault(tensor, []).append(seen)
                    for tensor, values in states.items():
                        now = Seen.of([values], self.detailed)
                        inner[tensor] = inner[tensor].joined(now) if tensor in inner else now
        whole = [session.observations() for session in sessions]
        tensors = {t: _seen([seen[t] for seen in whole if t in seen], samples) for t, samples in samples_of.items()}
        tensors.update(inner)
        return Statistics(tuple(digests), {self.index[t]: seen for t, seen in tensors.items()})

    def _of(self, place: int) -> Plan:
        if place not in self.plans:
            self.plans[place] = self._plan(place)
        return self.plans[place]

    def _plan(self, place: int) -> Plan:
        observers = [t for t in self.index if t.dtype is FLOAT32 and not (t.is_constant or t.is_variable)]
        read, graph = [t for told in self.told[place] for t in told.read], self.model.subgraphs[place]
        return compile(self.model, keep=read, observers=observers, detailed=self.detailed, subgraph=graph)


def _seen(parts: Sequence[Observation], samples: Sequence[Recent]) -> Seen:
    lows, highs = (np.array([getattr(r, end) for r in samples], np.float32) for end in ("low", "high"))
    sums = [recent.sums for recent in samples if recent.sums is not None]
    if len({one.shape for one in sums}) > 1:  # of channels that are not the same ones in all samples
        sums = []
    histograms = [part.histogram for part in parts if part.histogram is not None]
    histogram = reduce(Histogram.joined, histograms) if histograms else None
    counts = sum(part.count for part in parts), sum(part.ignored for part in parts)
    return Seen(lows, highs, *counts, histogram, np.array(sums) if sums else None)
