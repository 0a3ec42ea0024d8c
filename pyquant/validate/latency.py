"""How long a model takes, here and in other runtimes, measured in turns so that all meet the same machine."""

from __future__ import annotations

import os
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pyquant.calibrate.data import random_samples
from pyquant.graph import open as open_model
from pyquant.run import Session, compile
from pyquant.validate.oracle import Oracle

RUNS_PER_TURN = 5


@dataclass(frozen=True)
class Statistics:
    """Of the seconds of some runs, as litert-benchmark gives them.

    first: of the very first run, which warms up, unless none does. std: the standard deviation of a sample, 0 for one
    run. p5, p95: percentiles, interpolated.
    """

    count: int
    first: float
    avg: float
    min: float
    max: float
    median: float
    std: float
    p5: float
    p95: float

    @staticmethod
    def of(seconds: Sequence[float], first: float) -> Statistics:
        """seconds: of the runs that count.

        >>> Statistics.of([1.0, 2.0, 6.0], first=9.0)
        Statistics(count=3, first=9.0, avg=3.0, min=1.0, max=6.0, median=2.0, std=2.6457513110645907, p5=1.1, p95=5.6)
        """
        p5, median, p95 = np.percentile(seconds, [5, 50, 95]).tolist()
        std = float(np.std(seconds, ddof=1)) if len(seconds) > 1 else 0.0
        return Statistics(
            len(seconds), first, float(np.mean(seconds)), min(seconds), max(seconds), median, std, p5, p95
        )


@dataclass(frozen=True)
class Timed:
    """A runtime's times. init: seconds to open the model and make it ready to run."""

    runtime: str
    init: float
    runs: Statistics


@dataclass(frozen=True)
class Latency:
    """The times of a model. peers: of the other runtimes, whose runs took turns with ours.

    peak_bytes: the most memory that this process had so far, Python's and NumPy's among it.
    """

    ours: Timed
    peers: tuple[Timed, ...]
    threads: int
    warmup_runs: int
    arena_bytes: int
    peak_bytes: int

    def ratio(self, peer: Timed) -> float:
        """Of the medians: above 1 where ours is the faster one."""
        return peer.runs.median / self.ours.runs.median

    def to_dict(self) -> dict[str, Any]:
        """Plain data; times in seconds."""
        peers = [{**asdict(peer), "ratio": self.ratio(peer)} for peer in self.peers]
        return {**asdict(self), "peers": peers}


def latency(
    path: str | os.PathLike[str],
    against: Sequence[str] = (),
    threads: int = 1,
    isa: str | None = None,
    runs: int = 50,
    warmup_runs: int = 5,
) -> Latency:
    """Time a model on one random sample. against: runtimes, timed in turns with ours, with their default kernels.

    Raises OracleError for one that is not installed, or refuses the model.
    """
    start = time.perf_counter()
    model = open_model(path)
    plan = compile(model, threads=threads, isa=isa)
    session = plan.session()
    init = time.perf_counter() - start
    inputs = next(random_samples(model, 1))
    with ExitStack() as stack:
        oracles = [stack.enter_context(Oracle(name)) for name in against]
        inits = [init, *(oracle.load(path, "default", threads) for oracle in oracles)]
        timers: list[Callable[[int, int], list[float]]] = [partial(_seconds, session, inputs)]
        timers += [partial(oracle.time, inputs) for oracle in oracles]
        warm = [timer(max(warmup_runs, 1), 0) for timer in timers]
        seconds: list[list[float]] = [[] if warmup_runs else taken for taken in warm]
        while len(seconds[0]) < runs:
            count = min(RUNS_PER_TURN, runs - len(seconds[0]))
            for timer, taken in zip(timers, seconds, strict=True):
                taken += timer(count, int(len(timers) > 1))  # whoever comes after another finds its caches cold
        names = ["pyquant", *(f"{o.runtime.name} {o.version}" for o in oracles)]
        found = [
            Timed(name, ready, Statistics.of(taken, first[0]))
            for name, ready, taken, first in zip(names, inits, seconds, warm, strict=True)
        ]
    return Latency(found[0], tuple(found[1:]), threads, warmup_runs, plan.arena_bytes, peak_memory())


def peak_memory() -> int:
    """The most bytes of memory that this process had at once."""
    status = Path("/proc/self/status")
    found = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE) if status.exists() else None
    if found:
        return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # which on Linux counts the parent's, too
    return peak if sys.platform == "darwin" else peak * 1024


def _seconds(session: Session, inputs: Sequence[np.ndarray], runs: int, warmup: int) -> list[float]:
    """The seconds of each of `runs` runs, after some that do not count."""
    seconds = []
    for _ in range(warmup + runs):
        start = time.perf_counter()
        session(*inputs)
        seconds.append(time.perf_counter() - start)
    return seconds[warmup:]
