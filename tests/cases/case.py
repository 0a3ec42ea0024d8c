"""The form of a row, and how a row becomes a model and its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyquant.dtypes import dtype
from pyquant.graph import Builder, Model, Quantization, Tensor
from pyquant.ops.build import Made, add_all

WORDS = (b"", b"a", b"b", b"ab", b"a\0", b"\0", b"\xff", "\u00e9".encode(), b"a longer one")


@dataclass(frozen=True)
class Value:
    """A tensor of a row. constant: False, True (random, in low..high) or the value itself."""

    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    scale: Any = None
    zero_point: Any = 0
    axis: int = 0
    constant: Any = False
    low: float | None = None  # range of random elements; default the whole integer range, or -4..4 for floats
    high: float | None = None
    among: tuple[float, ...] = ()  # what random elements are taken from, instead
    variable: bool = False  # a state of the node, not an input of the model

    @property
    def quantization(self) -> Quantization | None:
        return None if self.scale is None else Quantization.of(self.scale, self.zero_point, self.axis)

    def random(self, rng: np.random.Generator) -> np.ndarray:
        kind = dtype(self.dtype)
        assert kind.numpy is not None
        if self.among:
            return rng.choice(np.array(self.among, kind.numpy), self.shape)
        if kind.name == "string":
            picked = rng.integers(0, len(WORDS), self.shape).ravel()
            return np.array([WORDS[i] for i in picked], object).reshape(self.shape)
        if kind.name == "bool":
            return rng.random(self.shape) < 0.5
        if kind.is_float:
            low, high = (-4.0 if self.low is None else self.low), (4.0 if self.high is None else self.high)
            return rng.uniform(low, high, self.shape).astype(kind.numpy)
        low, high = (kind.lo if self.low is None else self.low), (kind.hi if self.high is None else self.high)
        return rng.integers(int(low), int(high) + 1, self.shape).astype(kind.numpy)  # type: ignore[arg-type]


BOTH = ("tflite-runtime", "ai-edge-litert")
OPTIMIZED = tuple(f"{runtime} optimized" for runtime in BOTH)


@dataclass(frozen=True)
class Case:
    """One operator application. Integer outputs must be equal; `tolerance` is for floats, relative to the greatest.

    oracles: the runtimes that run it and are right, by their reference kernels or, as "NAME optimized", by these; or
    "tflite-micro". Where it is empty, the formula serves.
    """

    id: str
    op: str
    inputs: tuple[Value | None, ...]
    output: Value = field(default_factory=Value)  # its shape comes from the shape rule
    options: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 0.0
    oracles: tuple[str, ...] = BOTH
    more_outputs: tuple[Value, ...] = ()
    intermediates: tuple[Value, ...] = ()  # tensors that only tell scales

    def model(self, seed: int = 0) -> Model:
        """A model of this one operator; constants are random, by seed."""
        rng = np.random.default_rng(seed)
        b = Builder()
        tensors: list[Tensor | None] = []
        for i, value in enumerate(self.inputs):
            if value is None:
                tensors.append(None)
            elif value.variable:
                tensors.append(b.tensor(f"s{i}", value.shape, value.dtype, value.quantization, is_variable=True))
            elif value.constant is False:
                tensors.append(b.input(f"x{i}", value.shape, value.dtype, value.quantization))
            else:
                array = (
                    value.random(rng)
                    if value.constant is True
                    else np.asarray(value.constant, dtype(value.dtype).numpy)
                )
                tensors.append(b.constant(f"c{i}", array, value.dtype, value.quantization))
        outputs = (self.output, *self.more_outputs)
        made = [Made(f"y{i}", value.dtype, value.quantization) for i, value in enumerate(outputs)]
        model = b.model(add_all(b, self.op, tensors, made, **self.options), description=self.id)
        for i, value in enumerate(self.intermediates):
            model.main.nodes[0].intermediates.append(b.tensor(f"i{i}", value.shape, value.dtype, value.quantization))
        return model

    def feeds(self, seed: int = 1) -> list[np.ndarray]:
        """Random arrays for the model's inputs, in their order."""
        rng = np.random.default_rng(seed)
        return [v.random(rng) for v in self.inputs if v is not None and v.constant is False and not v.variable]
