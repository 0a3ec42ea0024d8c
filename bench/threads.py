"""What a second thread gives: `python bench/threads.py [MODEL]`, one thread's median time over two threads', by round.

Both take turns in one process. The best round counts: what else runs on the machine takes from two threads first.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

import pyquant as pq
from pyquant.calibrate.data import random_samples

MODEL = "models/efficientnet_lite0/efficientnet_lite0_int8.tflite"
ROUNDS, TURNS, CALLS = 8, 10, 3


def main(path: Path) -> None:
    model = pq.open(path)
    (inputs,) = random_samples(model, 1)
    sessions = [pq.compile(model, threads=threads).session() for threads in (1, 2)]
    best = [np.inf, np.inf]
    for _ in range(ROUNDS):
        seconds: list[list[float]] = [[], []]
        for _ in range(TURNS):
            for session, taken in zip(sessions, seconds, strict=True):
                session(*inputs)  # wakes the threads
                for _ in range(CALLS):
                    start = time.perf_counter()
                    session(*inputs)
                    taken.append(time.perf_counter() - start)
        one, two = (float(np.median(taken)) for taken in seconds)
        best = [min(best[0], one), min(best[1], two)]
        print(f"one {one * 1e3:7.3f} ms, two {two * 1e3:7.3f} ms, ratio {one / two:.2f}", flush=True)
    print(f"one {best[0] * 1e3:7.3f} ms, two {best[1] * 1e3:7.3f} ms, ratio {best[0] / best[1]:.2f}: the best of each")


if __name__ == "__main__":
    data = Path(os.environ.get("PYQUANT_DATA", "../shared/data"))
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else data / MODEL)
