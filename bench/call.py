"""What Python adds to one call of a small model: `python bench/call.py [MODEL]`, in microseconds, the least of many."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyquant as pq
from pyquant.calibrate.data import random_samples

MODEL = "models/tflm_examples/hello_world_int8.tflite"
CALLS, ROUNDS = 2000, 40


def main(path: Path) -> None:
    model = pq.open(path)
    (inputs,) = random_samples(model, 1)
    plan = pq.compile(model)
    session = plan.session()
    interpreter = pq.Interpreter(path)
    interpreter.allocate_tensors()
    fed = [detail["index"] for detail in interpreter.get_input_details()]
    given = [detail["index"] for detail in interpreter.get_output_details()]

    def as_a_drop_in() -> None:
        for index, array in zip(fed, inputs, strict=True):
            interpreter.set_tensor(index, array)
        interpreter.invoke()
        for index in given:
            interpreter.get_tensor(index)

    native, steps = session._native, len(plan._c_steps)
    calls: dict[str, Callable[[], Any]] = {
        "the steps in C": lambda: native.run(0, steps, 1),
        "session(x)": lambda: session(*inputs),
        "plan(x)": lambda: plan(*inputs),
        "set_tensor, invoke, get_tensor": as_a_drop_in,
    }
    for name, call in calls.items():
        print(f"{name:<32} {microseconds(call):6.2f}")


def microseconds(call: Callable[[], Any]) -> float:
    """The mean of the best round: what others do meanwhile only adds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        best = min(best, (time.perf_counter() - start) / CALLS * 1e6)
    return best


if __name__ == "__main__":
    data = Path(os.environ.get("PYQUANT_DATA", "../shared/data"))
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else data / MODEL)
