"""Memory and work are counted before they are taken: the account is exact, holds, and covers what happens."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pyquant as pq
from pyquant.graph import Builder, Model
from pyquant.ops.build import add

MARGIN = 1 << 20  # bytes of Python's own objects


def model(size: int = 64, batch: int = 8) -> Model:
    """A convolution, whose weights are packed, a constant that is computed, and a sum."""
    b = Builder()
    x = b.input("x", (batch, size, size, 4))
    w = b.constant("w", np.ones((16, 3, 3, 4), np.float32))
    y = add(b, "CONV_2D", [x, w, None], "y", padding="SAME", stride_h=1, stride_w=1)
    ones = b.constant("ones", np.ones((size, size, 16), np.float32))
    twice = add(b, "ADD", [ones, ones], "twice")
    return b.model([add(b, "ADD", [y, twice], "z")])


@pytest.mark.parametrize("field", ["bytes", "operations"])
def test_what_a_plan_needs_is_the_least_limit(field: str) -> None:
    needs = pq.compile(model()).needs
    assert pq.compile(model(), limits=needs).needs == needs
    less = replace(needs, **{field: getattr(needs, field) - 1})
    with pytest.raises(pq.RangeError, match=rf"needs \d+ {field}, the limit is {getattr(less, field)}; limits=Limits"):
        pq.compile(model(), limits=less)


def test_what_a_plan_needs_covers_what_it_takes() -> None:
    made, x = model(), np.ones((8, 64, 64, 4), np.float32)
    tracemalloc.start()
    plan = pq.compile(made)
    _sessions = plan.session(), plan.session()  # the first has an arena that tracemalloc does not see
    compiled = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert plan.arena_bytes < compiled < plan.needs.bytes + MARGIN
    assert plan(x).shape == (8, 64, 64, 16)


def test_the_interpreter_keeps_to_limits_too() -> None:
    x = np.ones((8, 64, 64, 4), np.float32)
    for less in (pq.Limits(1 << 20, 10**12), pq.Limits(1 << 40, 10**6)):
        with pytest.raises(pq.RangeError, match="the limit is"):
            pq.interpret(model(), [x], limits=less)


def test_models_that_run_keep_far_below_the_limits(data_folder: Path) -> None:
    """The largest of each kind: whoever opens a sound model never meets the limits."""
    for name in ("mobilenet/tf2_mobilenet_v2_1.0_224_ptq", "efficientnet_lite0/efficientnet_lite0_float32"):
        opened = pq.open(data_folder / "models" / f"{name}.tflite")
        needs, limits = pq.compile(opened).needs, pq.Limits.of(opened.main)
        assert 10 * needs.bytes < limits.bytes
        assert 10 * needs.operations < limits.operations
