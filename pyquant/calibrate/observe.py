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
    model: Model, data: Any, threads: int = 1, histograms: bool = True, executor: Executor | None = None
) -> Statistics:
    """What the float32 tensors of the main subgraph hold, sample by sample.

    executor: runs samples elsewhere, SHARD at a time: threads, processes, or a cluster; the result is the same to the
    last bit. Raises as `calibrate`.
    """
    feeds = (list(sample.values()) for sample in samples(data, model))
    if executor is None:
        return _observed(model, feeds, threads, histograms)
    shards = iter(lambda: list(islice(feeds, SHARD)), [])
    blob = dump(model)
    tasks = [executor.submit(observe_shard, blob, shard, threads, histograms) for shard in shards]
    found = Statistics()
    for task in tasks:
        found = found.joined(task.result())
    return found


def observe_shard(model: bytes, feeds: Sequence[Sequence[np.ndarray]], threads: int, histograms: bool) -> Statistics:
    """What an executor runs. feeds: for each sample the arrays of the inputs, in their order."""
    return _observed(load(model), feeds, threads, histograms)


def _observed(model: Model, feeds: Iterable[Sequence[np.ndarray]], threads: int, histograms: bool) -> Statistics:
    observed = {t: i for i, t in enumerate(model.main.tensors) if t.dtype is FLOAT32 and not t.is_constant}
    plan = compile(model, threads=threads, observers=list(observed), histograms=histograms)
    session = plan.session()
    digests: list[str] = []
    extremes: list[dict[Tensor, tuple[float, float]]] = []
    for arrays in feeds:
        session.run(*arrays)
        digests.append(sample_digest(arrays))
        extremes.append(session.extremes())
    found = session.observations()
    tensors = {}
    for tensor, i in observed.items():
        if tensor in found:
            ends = np.array([seen.get(tensor, (0.0, 0.0)) for seen in extremes], np.float32).reshape(-1, 2)
            seen = found[tensor]
            tensors[i] = Seen(ends[:, 0], ends[:, 1], seen.count, seen.ignored, seen.histogram)
    return Statistics(tuple(digests), tensors)
