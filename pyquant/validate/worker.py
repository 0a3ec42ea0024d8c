"""The process in which another runtime runs a model: reads requests from stdin, answers on stdout.

Started as a script by `oracle`, under an interpreter that may have nothing but NumPy and the runtime: no pyquant here.
A message is a frame of JSON and as many `.npy` frames as its "arrays" says, strings in hexadecimal. A frame is its
length, 8 bytes little-endian, and that many bytes.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import struct
import sys
import time
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

MODULES = {"tflite-runtime": "tflite_runtime", "ai-edge-litert": "ai_edge_litert"}
RESOLVERS = {"reference": "BUILTIN_REF", "optimized": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "default": "AUTO"}


def send(stream: BinaryIO, message: dict[str, Any], arrays: Sequence[np.ndarray] = ()) -> None:
    """Write one message and flush."""
    frames = [json.dumps({**message, "arrays": len(arrays)}).encode()]
    for array in arrays:
        buffer = io.BytesIO()
        np.save(buffer, _sent(array), allow_pickle=False)
        frames.append(buffer.getbuffer())  # type: ignore[arg-type]
    for frame in frames:
        stream.write(struct.pack("<Q", len(frame)))
        stream.write(frame)
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Read one message. Raises EOFError where the stream ends."""
    message = json.loads(_frame(stream))
    frames = [_frame(stream) for _ in range(message["arrays"])]
    return message, [_received(np.load(io.BytesIO(frame), allow_pickle=False)) for frame in frames]


def _sent(array: np.ndarray) -> np.ndarray:
    """Bytes as text of their hexadecimal digits, as a `.npy` file takes objects only with pickling."""
    if array.dtype != object:
        return array
    return np.array([string.hex() for string in array.ravel().tolist()], str).reshape(array.shape)


def _received(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "U":
        return array
    strings = np.empty(array.size, object)
    strings[:] = [bytes.fromhex(digits) for digits in array.ravel().tolist()]
    return strings.reshape(array.shape)


def _frame(stream: BinaryIO) -> bytes:
    head = stream.read(8)
    body = stream.read(struct.unpack("<Q", head)[0]) if len(head) == 8 else b""
    if len(head) < 8 or len(body) < struct.unpack("<Q", head)[0]:
        raise EOFError
    return body


class Runner:
    """The loaded model; one method per request."""

    def __init__(self, runtime: str) -> None:
        self.module = importlib.import_module(f"{MODULES[runtime]}.interpreter")
        self.version = importlib.import_module(MODULES[runtime]).__version__
        self.interpreter: Any = None
        self.loaded = "", "", 1

    def load(self, path: str, resolver: str, threads: int) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Answer with the seconds that it took."""
        self.interpreter = None  # free the model before
        self.loaded = path, resolver, threads
        start = time.perf_counter()
        self.interpreter = self.module.Interpreter(
            path,
            experimental_op_resolver_type=self.module.OpResolverType[RESOLVERS[resolver]],
            num_threads=threads,
        )
        self.interpreter.allocate_tensors()
        return {"seconds": time.perf_counter() - start}, []

    def run(self, *feeds: np.ndarray, reset: bool, again: bool) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Answer with the outputs that are numbers or strings, and their indices. again: load the model anew."""
        if again:
            self.load(*self.loaded)
        if reset:
            self.interpreter.reset_all_variables()
        self._feed(feeds)
        self.interpreter.invoke()
        indices = [int(detail["index"]) for detail in self.interpreter.get_output_details()]
        outputs = {index: np.asarray(self.interpreter.get_tensor(index)) for index in indices}
        known = {index: array for index, array in outputs.items() if array.dtype.kind in "biufcO"}
        return {"tensors": list(known)}, list(known.values())

    def time(self, *feeds: np.ndarray, runs: int, warmup: int) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Answer with the seconds of each of `runs` invocations."""
        self._feed(feeds)
        seconds = []
        for _ in range(warmup + runs):
            start = time.perf_counter()
            self.interpreter.invoke()
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds[warmup:]}, []

    def _feed(self, feeds: Sequence[np.ndarray]) -> None:
        for detail, array in zip(self.interpreter.get_input_details(), feeds, strict=True):
            self.interpreter.set_tensor(detail["index"], array)


def main(runtime: str) -> None:
    """Serve until stdin closes. What the runtime itself prints goes to stderr."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        runner = Runner(runtime)
    except Exception as error:
        send(answers, _refusal(error))
        return
    send(answers, {"version": runner.version, "numpy": np.__version__})
    while True:
        try:
            message, arrays = receive(requests)
        except EOFError:
            return
        message.pop("arrays")
        try:
            answer, results = getattr(runner, message.pop("request"))(*arrays, **message)
        except Exception as error:  # whatever the runtime raises is its answer
            answer, results = _refusal(error), []
        send(answers, answer, results)


def _refusal(error: Exception) -> dict[str, Any]:
    return {"error": f"{type(error).__name__}: {error}".strip()}


if __name__ == "__main__":
    main(sys.argv[1])
