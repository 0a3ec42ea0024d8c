"""How long a model takes, here and in another runtime, measured in turns so that both meet the same machine."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pyquant.calibrate.data import random_samples
from pyquant.graph import Model
from pyquant.run import compile
from pyquant.validate.oracle import Oracle

ROUND_SECONDS = 0.1  # runs per round are as many as fit, at least one, at most MOST_RUNS
MOST_RUNS = 200


@dataclass(frozen=True)
class Latency:
    """Medians over all runs, in seconds. theirs: of the runtime named, None where none was asked for."""

    ours: float
    arena_bytes: int
    threads: int
    runs: int
    theirs: float | None = None
    runtime: str | None = None
    note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        ratio = None if self.theirs is None else self.theirs / self.ours
        return {**asdict(self), "ratio": ratio}


def latency(
    model: Model, against: str | None = None, threads: int = 1, isa: str | None = None, rounds: int = 7
) -> Latency:
    """Time a model on one random sample. against: a runtime, timed in the same rounds with its default kernels."""
    inputs = next(random_samples(model, 1))
    plan = compile(model, threads=threads, isa=isa)
    session = plan.session()
    runs = min(MOST_RUNS, max(1, int(ROUND_SECONDS / min(_seconds(session, inputs, 2)))))
    if against is None:
        ours = [s for _ in range(rounds) for s in _seconds(session, inputs, runs)]
        return Latency(float(np.median(ours)), plan.arena_bytes, threads, len(ours))
    with Oracle(against, fallback=True) as oracle:
        oracle.load(model, "default", threads)
        ours, theirs = [], []
        for _ in range(rounds):
            ours += _seconds(session, inputs, runs)
            theirs += oracle.time(inputs, runs)
        name = f"{oracle.runtime.name} {oracle.version}"
        medians = float(np.median(ours)), float(np.median(theirs))
        return Latency(medians[0], plan.arena_bytes, threads, len(ours), medians[1], name, oracle.note)


def _seconds(session: Any, inputs: list[np.ndarray], runs: int) -> list[float]:
    """The seconds of each of `runs` runs, after one that is not counted."""
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        session(*inputs)
        seconds.append(time.perf_counter() - start)
    return seconds[1:]
