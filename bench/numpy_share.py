"""Which models of a folder spend how much of their time in NumPy instead of C.

`PYQUANT_DATA=folder python bench/numpy_share.py [folder]` prints those above 10 %, with the operators, and exits
with 1 where there are any. Each model runs alone, on inputs as the tests make them; the median of its runs counts.
Models of strings, which are objects of Python, are told of and not counted.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import pyquant as pq
from pyquant.run import choose

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from test_every_model import feeds

MOST = 0.1
SECONDS, RUNS = 0.3, (7, 200)  # runs go on for so long, but are so many at least and at most

Spent = dict[str, float]  # seconds in NumPy by operator


def main(folder: Path) -> int:
    above = 0
    for path in sorted(folder.rglob("*.tflite")):
        if path.stem.endswith("_edgetpu"):
            continue
        try:
            total, spent = median_run(path)
        except pq.PyQuantError:
            continue  # does not compile, or not run on these inputs
        if sum(spent.values()) > MOST * total:
            strings = any(t.dtype.name == "string" for t in pq.open(path).main.tensors)
            above += not strings
            by_op = sorted(spent.items(), key=lambda item: -item[1])
            told = ", ".join(f"{op} {100 * seconds / total:.0f} %" for op, seconds in by_op)
            kind = " of strings" if strings else ""
            share = 100 * sum(spent.values()) / total
            print(f"{path.stem:<60} {1e6 * total:9.0f} us, in NumPy {share:3.0f} %: {told}{kind}")
    print(f"{above} models spend over {100 * MOST:.0f} % of their time in NumPy")
    return int(above > 0)


def median_run(path: Path) -> tuple[float, Spent]:
    """Seconds of all steps, and of those in NumPy; of the run whose share is the median."""
    model = pq.open(path)
    inputs = feeds(model)
    plan = pq.compile(model)
    session, spent = plan.session(), Spent()
    session(*inputs)
    runs: list[tuple[float, Spent]] = []
    end = time.perf_counter() + SECONDS
    # which every reference goes through, those of subgraphs and of shapes that follow from values too
    patches = {name: timed(getattr(choose, name), spent) for name in ("evaluate", "computed")}
    with patch.multiple(choose, **patches):
        while len(runs) < RUNS[0] or (len(runs) < RUNS[1] and time.perf_counter() < end):
            for tensor, array in zip(plan.inputs, inputs, strict=True):
                session.value(tensor)[...] = array
            spent.clear()
            start = time.perf_counter()
            session.invoke()
            runs.append((time.perf_counter() - start, dict(spent)))
    return sorted(runs, key=lambda run: sum(run[1].values()) / run[0])[len(runs) // 2]


def timed(evaluate: Callable[..., Any], spent: Spent) -> Callable[..., Any]:
    def run(call: Any, function: Any, arrays: Any) -> tuple[np.ndarray, ...]:
        start = time.perf_counter()
        results: tuple[np.ndarray, ...] = evaluate(call, function, arrays)
        spent[call.operator.name] = spent.get(call.operator.name, 0.0) + time.perf_counter() - start
        return results

    return run


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else os.environ["PYQUANT_DATA"])))
