"""Every hostile file of tests/attacks: refused or run as its module says, quickly, and without taking memory for it."""

from __future__ import annotations

import importlib
import pkgutil
import time
import tracemalloc
from collections.abc import Callable
from types import ModuleType
from typing import Any

import attacks
import numpy as np
import pytest

from pyquant.edgetpu import inspect
from pyquant.graph import load
from pyquant.native import isas
from pyquant.run import compile, interpret

ATTACKS = {
    m.name: importlib.import_module(f"attacks.{m.name}")
    for m in pkgutil.iter_modules(attacks.__path__)
    if m.name != "making"
}
# What is done with a file that opens
STAGES: dict[str, Callable[[Any], Any]] = {"opening": load, "compiling": compile, "inspecting": inspect}
SECONDS = 2.0  # of processor time
BYTES_PER_BYTE, FREE = 100, 1 << 22  # objects of Python, and what the first call of anything takes


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_attack(attack: ModuleType) -> None:
    assert attack.__doc__ is not None and attack.__doc__.startswith(
        ("Opening ", "Compiling ", "Inspecting ", "Running ")
    )
    data, start = attack.make(), time.process_time()
    if hasattr(attack, "running"):
        run(data, attack.running)
    else:
        refused(attack, data)
    assert time.process_time() - start < SECONDS


def refused(attack: ModuleType, data: bytes) -> None:
    model = None if hasattr(attack, "opening") else load(data)
    stage, act = next((stage, act) for stage, act in STAGES.items() if hasattr(attack, stage))
    error, found = getattr(attack, stage)
    tracemalloc.start()
    try:
        with pytest.raises(error, match=found):
            act(data if model is None else model)
        assert tracemalloc.get_traced_memory()[1] < BYTES_PER_BYTE * len(data) + FREE
    finally:
        tracemalloc.stop()


def run(data: bytes, feeds: list[np.ndarray]) -> None:
    """What C makes, and with every instruction set, is what the reference makes."""
    model = load(data)
    (expected,) = interpret(model, feeds).values()
    for isa in isas():
        np.testing.assert_array_equal(compile(model, isa=isa)(*feeds), expected)
