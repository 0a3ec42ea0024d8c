"""Runs a float model on representative data, and keeps what its values were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
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
from pyquant.run.observation import Observation, Recent

SHARD = 16  # samples that one task of an executor takes


class Executor(Protocol):
    """What `concurrent.futures` calls so, and Dask's `client.get_executor()` returns."""

    def submit(self, function: Any, /, *args: Any, **named: Any) -> Any: ...


def calibrate(
    model: Model,
    data: Any,
    threads: int = 1,
    method: str = "min_max",
    executor: Executor | None = None,
    **options: Any,
) -> dict[Tensor, Range]:
    """The range of every float32 tensor of the main subgraph that is computed or fed, over all samples of `data`.

    data: any form that `samples` takes, or the Statistics of an earlier run. method: one of
    `pyquant.calibrate.METHODS`, with its options. executor: see `collect`.
    Raises DataError where the data holds no sample or does not fit the inputs, OptionError for another method.
    """
    if not isinstance(data, Statistics):
        by_histogram = method in METHODS and METHODS[method].by_histogram
        data = collect(model, data, threads, by_histogram, executor)
    return data.ranges(model, method, **options)


def collect(
    model: Model, data: Any, threads: int = 1, detailed: bool = True, executor: Executor | None = None
) -> Statistics:
    """What the float32 tensors of the main subgraph hold, sample by sample; `detailed`: with histograms and means.

    executor: runs samples elsewhere, SHARD at a time: threads, processes, or a cluster; the result is the same to the
    last bit. Raises as `calibrate`.
    """
    feeds = (list(sample.values()) for sample in samples(data, model))
    if executor is None:
        return _observed(model, feeds, threads, detailed)
    shards = iter(lambda: list(islice(feeds, SHARD)), [])
    blob = dump(model)
    tasks = [executor.submit(observe_shard, blob, shard, threads, detailed) for shard in shards]
    found = Statistics()
    for task in tasks:
        found = found.joined(task.result())
    return found


def observe_shard(model: bytes, feeds: Sequence[Sequence[np.ndarray]], threads: int, detailed: bool) -> Statistics:
    """What an executor runs. feeds: for each sample the arrays of the inputs, in their order."""
    return _observed(load(model), feeds, threads, detailed)


def _observed(model: Model, feeds: Iterable[Sequence[np.ndarray]], threads: int, detailed: bool) -> Statistics:
    observed = {t: i for i, t in enumerate(model.main.tensors) if t.dtype is FLOAT32 and not t.is_constant}
    plan = compile(model, threads=threads, observers=list(observed), detailed=detailed)
    session = plan.session()
    digests: list[str] = []
    samples_of: dict[Tensor, list[Recent]] = {}
    for arrays in feeds:
        session.run(*arrays)
        digests.append(sample_digest(arrays))
        for tensor, recent in session.recent().items():
            samples_of.setdefault(tensor, []).append(recent)
    seen = session.observations()
    tensors = {observed[t]: _seen(t, seen[t], samples) for t, samples in samples_of.items()}
    return Statistics(tuple(digests), tensors)


def _seen(tensor: Tensor, seen: Observation, samples: Sequence[Recent]) -> Seen:
    lows, highs = np.float32([recent.low for recent in samples]), np.float32([recent.high for recent in samples])
    sums = [recent.sums for recent in samples if recent.sums is not None]
    return Seen(lows, highs, seen.count, seen.ignored, seen.histogram, np.array(sums) if sums else None)
