"""Threads: the pool and the packer under ThreadSanitizer, and plans made and run from many threads at once."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from test_run import feed, network

from pyquant.graph import Builder, Model, Quantization
from pyquant.ops.build import add
from pyquant.run import compile, interpret

ROOT = Path(__file__).parents[1]
SOURCES = [ROOT / "tests/threads.c", *(ROOT / f"csrc/core/{name}.c" for name in ("plan", "pool", "packer", "reserve"))]
FLAGS = ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-fsanitize=thread"]
PLANS, CALLERS = 1000, 8


def sanitized(folder: Path, *sources: Path) -> Path | None:
    """A program built with ThreadSanitizer; None where the compiler does not have it."""
    program = folder / sources[0].stem
    includes = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc/core'}"]
    built = subprocess.run(["cc", *FLAGS, *includes, *sources, "-o", program], capture_output=True)
    return program if built.returncode == 0 else None


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")
def test_thread_sanitizer_finds_nothing_in_the_pool_and_the_packer(tmp_path):
    empty = tmp_path / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    probe = sanitized(tmp_path, empty)
    if probe is None or subprocess.run([probe], capture_output=True).returncode != 0:
        pytest.skip("ThreadSanitizer does not run here")
    program = sanitized(tmp_path, *SOURCES)
    assert program is not None
    found = subprocess.run([program], capture_output=True, text=True, timeout=300)
    assert (found.returncode, found.stderr) == (0, ""), found.stdout + found.stderr


def test_plans_made_and_run_from_many_threads_give_the_same_bits(monkeypatch):
    monkeypatch.setattr("pyquant.run.choose.WORTH_SHARING", 0)
    model = network(quantized=True)
    inputs = [feed(model, seed) for seed in range(CALLERS)]
    plan = compile(model)
    expected = [b"".join(y.tobytes() for y in plan(x)) for x in inputs]

    def run(i: int) -> bool:
        outputs = compile(model, threads=1 + i % 3)(inputs[i % CALLERS])
        return b"".join(map(np.ndarray.tobytes, outputs)) == expected[i % CALLERS]

    with ThreadPoolExecutor(CALLERS) as callers:
        assert all(callers.map(run, range(PLANS)))


def large(rows: int = 1) -> Model:
    """Layers whose weights take far longer to lay out than to plan."""
    rng, b = np.random.default_rng(0), Builder()
    x = b.input("x", (rows, 512), "int8", Quantization.of(0.05))
    for i in range(12):
        w = b.constant(f"w{i}", rng.integers(-127, 128, (512, 512), np.int8), quantization=Quantization.of(0.01))
        x = add(b, "FULLY_CONNECTED", [x, w], f"y{i}", quantization=Quantization.of(0.2))
    return b.model([x])


def test_a_plan_runs_while_its_constants_are_laid_out():
    model, x = large(), np.arange(-128, 384, dtype=np.int64).astype(np.int8)[None]
    (expected,) = interpret(model, x).values()
    for threads in (1, 2, 3):
        plan = compile(model, threads=threads)
        with ThreadPoolExecutor(CALLERS) as callers:
            assert all(np.array_equal(y, expected) for y in callers.map(plan, [x] * CALLERS))
        assert np.array_equal(plan(x), expected)
        del plan
        compile(model)  # and is given up at once


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("rows", [1, 1100])  # of which the arena is of memory that is made early
def test_a_plan_runs_in_a_process_forked_while_its_constants_are_laid_out(rows):
    model, x = large(rows), np.ones((rows, 512), np.int8)
    expected = compile(model)(x)
    for _ in range(10):
        plan = compile(model)
        session = plan.session()
        session.value(plan.inputs[0])[...] = x
        child = os.fork()
        if not child:
            session.invoke()
            os._exit(not all(np.array_equal(y, expected) for y in (session.value(plan.outputs[0]), plan(x))))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert np.array_equal(plan(x), expected)
