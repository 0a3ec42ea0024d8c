"""litert-quantizer in a process of its own: the interpreter that has it need not be ours, and models can end it.

PYQUANT_LITERT_QUANTIZER_PYTHON names that interpreter where it is another one. As a script it is that process: it reads
requests, lines of JSON, from stdin and answers each with a line of JSON on stdout; no pyquant there.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyquant as pq

VARIABLE = "PYQUANT_LITERT_QUANTIZER_PYTHON"


class PeerError(Exception):
    """It refused a model, or died of it."""


def python_of_peer() -> str:
    """The interpreter that has litert-quantizer. Raises PeerError where none does."""
    named = os.environ.get(VARIABLE)
    if not named and not importlib.util.find_spec("litert_quantizer"):
        raise PeerError(f"litert-quantizer is not installed here; {VARIABLE} may name a python that has it")
    return named or sys.executable


class LitertQuantizer:
    """The process, started at the first request and again where it died."""

    def __init__(self) -> None:
        """Raises PeerError where no interpreter has litert-quantizer."""
        self._python = python_of_peer()
        self._process: subprocess.Popen[str] | None = None

    def quantize(self, model: Path, recipe: str, out: Path, data: Path | None = None) -> dict[str, float]:
        """Write `out` by one of its recipes. -> seconds: calibrate, quantize (from file to file), and peak memory

        data: an `.npz` file of arrays by signature key and input name, "key/name", samples along the first axis.
        """
        answer = self._ask({"model": str(model), "recipe": recipe, "out": str(out), "data": data and str(data)})
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def __enter__(self) -> LitertQuantizer:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if self._process is None:
            command = [self._python, __file__]
            pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=quiet, text=True)
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._process = None
            raise PeerError(f"it died (exit code {code})")
        answer: dict[str, Any] = json.loads(line)
        return answer


def save_samples(model: pq.Model, feeds: Sequence[Sequence[np.ndarray]], path: Path) -> None:
    """As litert-quantizer takes them: for each signature, by the names of its inputs."""
    arrays: dict[str, np.ndarray] = {}
    rng = np.random.default_rng(0)
    for signature in model.signatures:
        for name, tensor in signature.inputs:
            shape = (len(feeds), *tensor.shape)
            if signature.subgraph is model.main:
                i = model.main.inputs.index(tensor)
                arrays[f"{signature.key}/{name}"] = np.stack([sample[i] for sample in feeds]).reshape(shape)
            else:
                arrays[f"{signature.key}/{name}"] = rng.uniform(-1, 1, shape).astype(np.float32)
    np.savez(path, **arrays)


def _serve() -> None:
    from litert_quantizer import quantizer
    from litert_quantizer import recipe as recipes

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what others print

    for line in sys.stdin:
        request = json.loads(line)
        samples: dict[str, list[dict[str, Any]]] = {}
        if request["data"]:
            with np.load(request["data"]) as arrays:
                for label, array in arrays.items():
                    key, name = label.split("/", 1)
                    rows = samples.setdefault(key, [{} for _ in array])
                    for row, values in zip(rows, array, strict=True):
                        row[name] = values
        try:
            start = time.perf_counter()
            made = quantizer.Quantizer(request["model"], getattr(recipes, request["recipe"])())
            seen = made.calibrate(samples) if made.need_calibration else None
            middle = time.perf_counter()
            made.quantize(seen).export_model(request["out"], overwrite=True)
            answer = {"calibrate": middle - start, "quantize": time.perf_counter() - middle}
        except Exception as error:  # whatever it raises is its answer
            answer = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
