"""The C core through its binding: the kernel table, parameter structs, plan checks, threads, and the core's kernels."""

import math
import os

import numpy as np
import pytest

from pyquant import native
from pyquant.run.observation import BINS, Observation, Recent, clear, record_bytes, record_in

ROWS = {(row.operation, row.isa): row for row in native.rows()}
COPY, OBSERVE = ROWS["copy_u8", "scalar"], ROWS["observe_f32", "scalar"]


def copy_plan(size: int, block: int = 64, chunk: int = 1, **changes) -> native.Plan:
    """One step that copies the arena's first piece to its second."""
    params = native.Params("pq_copy", {"bytes": size, "block": block})
    step = native.PlannedStep(COPY.index, params, (0,), (1,), -(-size // block), chunk)._replace(**changes)
    half = -(-size // 64) * 64
    return native.Plan([native.Piece(0, size), native.Piece(half, size)], [step], 2 * half)


def test_every_operation_has_a_scalar_kernel_and_ends_with_it():
    operations = [row.operation for row in native.rows()]
    last = {row.operation: row for row in native.rows()}
    assert all(row.isa == "scalar" and row.available for row in last.values())
    assert len({(row.operation, row.isa) for row in native.rows()}) == len(operations)


def test_isas_are_listed_best_first_in_every_operation():
    order = {isa: i for i, isa in enumerate(native.isas())}
    for operation in {row.operation for row in native.rows()}:
        ranks = [order[row.isa] for row in native.rows() if row.operation == operation and row.available]
        assert ranks == sorted(ranks)
    assert native.isas()[-1] == "scalar"


@pytest.mark.parametrize("name", ["exp", "expm1", "log1p", "tanh", "erf", "erfc", "sqrt", "sin", "cos"])
def test_libm_is_the_c_library(name):
    x = np.linspace(0.01, 3, 50)
    assert native.libm(name, x).tolist() == [getattr(math, name)(v) for v in x]
    single = x.astype(np.float32)
    exact = native.libm(name, single.astype(np.float64))
    np.testing.assert_allclose(native.libm(name + "f", single), exact, rtol=2e-7)  # within 1 unit of the last place


def test_libm_refuses_other_types_and_names():
    with pytest.raises(TypeError, match="expf takes float32, got float64"):
        native.libm("expf", np.zeros(2))
    with pytest.raises(KeyError, match="gammaf"):
        native.libm("gammaf", np.zeros(2, np.float32))


def test_params_must_name_every_field():
    with pytest.raises(TypeError, match="pq_copy has the fields"):
        native.Params("pq_copy", {"bytes": 1})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"row": len(native.rows())}, "no such kernel"),
        ({"row": -1}, "no such kernel"),
        ({"inputs": (2,)}, "no such input tensor"),
        ({"inputs": (-2,)}, "no such input tensor"),
        ({"outputs": (2,)}, "no such output tensor"),
        ({"outputs": (-1,)}, "no such output tensor"),
        ({"units": -1}, "bad work units"),
        ({"chunk": 0}, "bad work units"),
    ],
)
def test_plan_check_refuses_a_bad_step(changes, reason):
    with pytest.raises(ValueError, match=f"step 0: {reason}"):
        copy_plan(100, **changes)


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (native.Piece(64, 65), "a tensor leaves the arena"),
        (native.Piece(192, 0), "a tensor leaves the arena"),
        (native.Piece(0, 2**63), "a tensor leaves the arena"),
        (native.Piece(6, 8, 4), "a tensor is not aligned"),
        (native.Piece(0, 8, 0), "a tensor is not aligned"),
    ],
)
def test_plan_check_refuses_a_bad_tensor(tensor, reason):
    with pytest.raises(ValueError, match=reason):
        native.Plan([tensor], [], 128)


def test_plan_check_refuses_to_write_a_constant():
    params = native.Params("pq_copy", {"bytes": 8, "block": 8})
    step = native.PlannedStep(COPY.index, params, (0,), (1,), 1, 1)
    with pytest.raises(ValueError, match="the output is a constant"):
        native.Plan([native.Piece(0, 8), np.zeros(8, np.uint8)], [step], 64)


@pytest.mark.parametrize("size", [1, 63, 64, 65, 1000, 100_000])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_share_the_units_of_a_step(size, threads):
    session = native.Session(copy_plan(size))
    for seed in range(20):
        session.arena[:size] = np.random.default_rng(seed).integers(0, 256, size)
        session.run(0, 1, threads)
        half = session.arena.size // 2
        assert np.array_equal(session.arena[:size], session.arena[half : half + size])


def test_steps_follow_each_other_on_many_threads():
    """A chain of copies, small and shared ones mixed, ends with the first piece's bytes."""
    count, size = 40, 4096
    params = native.Params("pq_copy", {"bytes": size, "block": 64})
    steps = [
        native.PlannedStep(COPY.index, params, (i,), (i + 1,), size // 64, 64 if i % 3 == 0 else 2)
        for i in range(count)
    ]
    pieces = [native.Piece(i * size, size) for i in range(count + 1)]
    session = native.Session(native.Plan(pieces, steps, (count + 1) * size))
    for seed in range(20):
        session.arena[:size] = np.random.default_rng(seed).integers(0, 256, size)
        session.run(0, count, 4)
        assert np.array_equal(session.arena[:size], session.arena[-size:])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_starts_threads_of_its_own():
    session = native.Session(copy_plan(10_000))
    session.run(0, 1, 2)
    session.arena[:10_000] = 7
    child = os.fork()
    if child == 0:
        session.run(0, 1, 2)
        os._exit(0 if session.arena[-10_048:-48].min() == 7 else 1)
    assert os.waitpid(child, 0)[1] == 0


def observe(isa: str, *parts: np.ndarray, histogram: bool = False) -> np.ndarray:
    """The record after it has seen all parts."""
    size, old = record_bytes(3 if histogram else None), None
    for x in parts:
        params = native.Params(
            "pq_observe", {"size": x.size, "channels": 3 if histogram else 1, "detailed": int(histogram)}
        )
        step = native.PlannedStep(ROWS["observe_f32", isa].index, params, (1,), (0,), 1, 1)
        session = native.Session(native.Plan([native.Piece(0, size), x], [step], -(-size // 64) * 64))
        record = record_in(session.arena[:size])
        clear(record)
        if old is not None:
            record[()] = old
        session.run(0, 1, 1)
        old = record.copy()
    return record


OBSERVERS = [row.isa for row in native.rows() if row.operation == "observe_f32" and row.available]


@pytest.mark.parametrize("isa", OBSERVERS)
@pytest.mark.parametrize("size", [1, 15, 16, 17, 1000])
def test_observer_equals_numpy(isa, size):
    x = np.random.default_rng(size).normal(size=size).astype(np.float32)
    x[::5] = np.random.default_rng(0).choice([np.nan, np.inf, -np.inf, 0, 1e38], x[::5].size)
    finite = x[np.isfinite(x)]
    seen = observe(isa, x, x)
    assert seen["low"] == finite.min(initial=np.inf)
    assert seen["high"] == finite.max(initial=-np.inf)
    assert seen[["count", "nan", "infinite"]].item() == (2 * size, 2 * np.isnan(x).sum(), 2 * np.isinf(x).sum())


@pytest.mark.parametrize("isa", OBSERVERS)
@pytest.mark.parametrize("scales", [(1.0,), (1e-3, 1.0, 7.0), (1e30, 1e-30), (0.0, 1e-45, 3e38), (0.0,)])
def test_histograms_of_parts_are_those_of_the_whole(isa, scales):
    rng = np.random.default_rng(3)
    parts = [(rng.normal(size=(233, 3)) * scale).astype(np.float32) for scale in scales]
    parts[0].reshape(-1)[::9] = rng.choice([np.nan, np.inf, -np.inf, 0], -(-parts[0].size // 9))
    sums = Recent.taken([observe(isa, *parts, histogram=True)]).sums
    np.testing.assert_allclose(sums, sum(part.sum(axis=0, dtype=np.float64) for part in parts))
    one_by_one = Observation.of([observe(isa, part, histogram=True) for part in reversed(parts)])
    together = Observation.of([observe(isa, *parts, histogram=True)])
    assert together == one_by_one
    values = np.concatenate(parts).reshape(-1)
    values = values[np.isfinite(values)].astype(np.float64)
    found = together.histogram
    bins = np.floor(values / 2.0**found.exponent).astype(int) + BINS // 2
    assert np.array_equal(found.counts, np.bincount(bins, minlength=BINS))
    largest = np.abs(values).max()
    assert largest == 0 or 2.0**found.exponent * BINS / 4 <= largest < 2.0**found.exponent * BINS / 2


@pytest.mark.parametrize("row", [r for r in native.rows() if r.operation.startswith("peak_")], ids=lambda row: row.name)
def test_the_loops_that_measure_the_processor_compute(row):
    if not row.available:
        pytest.skip(f"this processor has no {row.isa}")
    kind = {"peak_s8": np.int8, "peak_s16": np.int16, "peak_f32": np.float32}[row.operation]
    count, units = 64 // np.dtype(kind).itemsize, 3
    x, w = (np.arange(count) % 128).astype(kind), (np.arange(count) % 5 - 2).astype(kind)
    step = native.PlannedStep(row.index, native.Params("pq_peak", {"repeats": 32}), (1, 2), (0,), units, units)
    session = native.Session(native.Plan([native.Piece(0, 4), x, w], [step], 64))
    session.run(0, 1, 1)
    found = session.arena[:4].view(np.float32 if kind is np.float32 else np.int32)
    assert found == units * 32 * np.dot(x.astype(int), w.astype(int))


CODERS = [row.isa for row in native.rows_of("codes_f32") if row.available]
LAYOUTS = [((6, 200), 0), ((6, 200), 1), ((3, 5, 7), 1), ((130,), None), ((1, 3, 3, 70), 3), ((0, 4), 0)]


@pytest.mark.parametrize("isa", CODERS)
@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
@pytest.mark.parametrize(
    ("zero", "lo", "hi"), [(0, -127, 127), (-128, -128, 127), (7, -128, 127), (0, -7, 7), (0, -32767, 32767)]
)
def test_codes_are_those_of_exact_quotients(isa, shape, axis, zero, lo, hi):
    """At ties, one step of a float beside them, at the ends and beyond."""
    rng = np.random.default_rng(1)
    scale = rng.uniform(0.001, 3, 1 if axis is None else shape[axis]).astype(np.float32)
    along = scale if axis is None else scale.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    values = (rng.integers(2 * lo - 9, 2 * hi + 9, shape) / 2 * along).astype(np.float32)
    for x in (values, np.nextafter(values, np.float32(np.inf)), values * np.float32(1e30)):
        exact = x.astype(np.float64) / along.astype(np.float64)
        nearest = np.trunc(exact) + np.copysign(np.abs(exact - np.trunc(exact)) >= 0.5, exact) + zero
        found = np.empty(shape, np.int16 if hi > 127 else np.int8)
        native.round_codes(x, scale, axis or 0, zero, lo, hi, found, isa=isa)
        np.testing.assert_array_equal(found, np.clip(nearest, lo, hi))


@pytest.mark.parametrize("isa", CODERS)
@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_magnitudes_are_the_greatest_of_each_channel(isa, shape, axis):
    values = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    others = None if axis is None else tuple(i for i in range(len(shape)) if i != axis)
    for odd in (0.0, -np.inf, np.nan):
        values.flat[:1] = odd
        expected = np.atleast_1d(np.max(np.abs(values), axis=others, initial=0))
        np.testing.assert_array_equal(native.magnitudes(values, axis, isa), expected)
