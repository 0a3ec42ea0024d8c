"""Runs models in tflite-runtime or ai-edge-litert, in a process of their own.

Those can abort their process, and may need another NumPy than ours.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from pyquant.errors import OracleError
from pyquant.graph import Model, dump, external
from pyquant.validate.worker import RESOLVERS, receive, send

Answer = tuple[dict[str, Any], list[np.ndarray]]
STDERR_TAIL = 2000  # bytes of a dead worker's stderr in the error message


@dataclass(frozen=True)
class Runtime:
    """A runtime that can serve as oracle. `numerics`: which of our arithmetics equals its reference kernels."""

    name: str
    module: str
    variable: str  # environment variable that names a Python interpreter which has it
    numerics: str
    advice: str


RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime
    for runtime in (
        Runtime(
            "tflite-runtime",
            "tflite_runtime",
            "PYQUANT_TFLITE_RUNTIME_PYTHON",
            "tflite",
            'an environment of Python 3.11 or older with `pip install tflite-runtime==2.14.0 "numpy<2"`',
        ),
        Runtime(
            "ai-edge-litert",
            "ai_edge_litert",
            "PYQUANT_AI_EDGE_LITERT_PYTHON",
            "litert",
            "an environment with `pip install ai-edge-litert`",
        ),
    )
}


class Oracle:
    """A runtime ready to run models, one at a time. A model that kills its process leaves the next `load` unharmed.

    >>> with Oracle("ai-edge-litert") as oracle:  # doctest: +SKIP
    ...     oracle.load("model.tflite")
    ...     outputs = oracle.run([x])
    """

    def __init__(self, runtime: str = "tflite-runtime", fallback: bool = False) -> None:
        """Start the worker. fallback: where tflite-runtime cannot be had, take ai-edge-litert, and say so in `note`."""
        if runtime not in RUNTIMES:
            raise OracleError(f"runtime {runtime!r} is not one of {', '.join(RUNTIMES)}")
        self.runtime = RUNTIMES[runtime]
        self.note: str | None = None
        self._worker: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="pyquant-")
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the oracle
        self._label = ""
        self._resources = False
        try:
            self.version = self._start()
        except OracleError as error:
            if not fallback or runtime == "ai-edge-litert":
                raise
            self.note = f"{error}. ai-edge-litert serves instead."
            self.runtime = RUNTIMES["ai-edge-litert"]
            self.version = self._start()

    def load(self, model: Model | str | os.PathLike[str], resolver: str = "reference", threads: int = 1) -> float:
        """Load a model. resolver: reference, optimized (no delegate) or default (XNNPACK). -> the seconds it took

        Raises OracleError where the runtime refuses the model.
        """
        if resolver not in RESOLVERS:
            raise OracleError(f"resolver {resolver!r} is not one of {', '.join(RESOLVERS)}")
        if isinstance(model, Model):
            self._label = "the model"
            path = Path(self._folder.name) / "model.tflite"
            path.write_bytes(dump(external.embedded(model)))  # `save` would wait for the disk
            # which reset_all_variables does not reset
            self._resources = any(t.dtype.name == "resource" for s in model.subgraphs for t in s.tensors)
        else:
            self._label, path, self._resources = str(model), Path(model), False
        if self._worker is None:
            self._start()
        answer, _ = self._ask({"request": "load", "path": str(path), "resolver": resolver, "threads": threads})
        return float(answer["seconds"])

    def run(self, feeds: Sequence[np.ndarray], reset: bool = True) -> dict[int, np.ndarray]:
        """Run one sample: arrays in input order -> {index in the file: array} of the outputs.

        reset: variables begin anew; else they go on from the last run.
        """
        answer, arrays = self._ask({"request": "run", "reset": reset, "again": reset and self._resources}, feeds)
        return dict(zip(answer["tensors"], arrays, strict=True))

    def time(self, feeds: Sequence[np.ndarray], runs: int = 10, warmup: int = 1) -> list[float]:
        """Seconds of each of `runs` invocations on one sample, measured in the worker."""
        answer, _ = self._ask({"request": "time", "runs": runs, "warmup": warmup}, feeds)
        return list(answer["seconds"])

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._stop()
        self._stderr.close()
        self._folder.cleanup()

    def __enter__(self) -> Oracle:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _start(self) -> str:
        python = find_python(self.runtime)
        self._stderr.seek(0)
        self._stderr.truncate()
        try:
            self._worker = subprocess.Popen(
                [python, str(Path(__file__).with_name("worker.py")), self.runtime.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
            )
        except OSError as error:
            raise OracleError(f"{self.runtime.name}: cannot start {python}: {error}") from None
        answer, _ = self._answer()
        if "error" in answer:
            self._stop()
            why = f"does not import in {python}: {answer['error']}"
            raise OracleError(f"{self.runtime.name} {why}; {_advice(self.runtime)}")
        return str(answer["version"])

    def _stop(self) -> int:
        worker, self._worker = self._worker, None
        assert worker is not None and worker.stdin is not None and worker.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it died with a request unread
            worker.stdin.close()
        worker.stdout.close()
        return worker.wait()

    def _ask(self, message: dict[str, Any], arrays: Sequence[np.ndarray] = ()) -> Answer:
        if self._worker is None:
            raise OracleError(f"{self.runtime.name}: no model is loaded")
        assert self._worker.stdin is not None
        try:
            send(cast(BinaryIO, self._worker.stdin), message, arrays)
        except BrokenPipeError:
            raise self._died() from None
        answer, results = self._answer()
        if "error" in answer:
            raise OracleError(f"{self.runtime.name} {self.version} refused {self._label}: {answer['error']}")
        return answer, results

    def _answer(self) -> Answer:
        assert self._worker is not None and self._worker.stdout is not None
        try:
            return receive(cast(BinaryIO, self._worker.stdout))
        except EOFError:
            raise self._died() from None

    def _died(self) -> OracleError:
        code = self._stop()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        end = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, end - STDERR_TAIL))
        tail = self._stderr.read().decode(errors="replace").strip()
        what = f"{self.runtime.name} died on {self._label or 'start'} ({how})"
        return OracleError(f"{what}: {tail or 'it printed nothing'}")


def find_python(runtime: Runtime) -> str:
    """The interpreter that the runtime's variable names, else this one if it has the runtime. Raises OracleError."""
    named = os.environ.get(runtime.variable)
    if named:
        return named
    if importlib.util.find_spec(runtime.module):
        return sys.executable
    raise OracleError(f"{runtime.name} is not installed here; {_advice(runtime)}")


def _advice(runtime: Runtime) -> str:
    return f"it needs {runtime.advice}; where that is another one, {runtime.variable} names its python"
