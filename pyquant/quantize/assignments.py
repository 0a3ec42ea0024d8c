"""What the solver decided, before anything is edited: how every value is stored and in what every node computes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from pyquant.calibrate import Outlier
from pyquant.dtypes import BFLOAT16, FLOAT16, FLOAT32, DType
from pyquant.graph import Model, Node, Quantization, Tensor
from pyquant.quantize.recipe import Recipe, Rule


@dataclass(frozen=True)
class Encoding:
    """How a value is stored: an element type, and scale and zero point where the type is a quantized integer.

    cast: what reads it gets it cast to float32.
    """

    dtype: DType
    quantization: Quantization | None = None
    cast: bool = False

    def __str__(self) -> str:
        q = self.quantization
        if q is None:
            return self.dtype.name
        if q.details is not None:
            return f"{self.dtype.name} in blocks of {q.details.block_size}"
        if q.per_axis:
            return f"{self.dtype.name} {q.scale.size} scales {q.scale.min():.6g}..{q.scale.max():.6g} axis {q.axis}"
        return f"{self.dtype.name} scale {q.scale[0]:.6g} zero point {int(q.zero_point[0])}"


FLOAT = Encoding(FLOAT32)
Use = tuple[Node, int]  # a node and the index of one of its inputs


def as_is(tensor: Tensor) -> Encoding:
    """How a tensor is stored now. What a float32 tensor may have by way of scales means nothing."""
    return FLOAT if tensor.dtype is FLOAT32 else Encoding(tensor.dtype, tensor.quantization)


LARGEST_FLOATS = {FLOAT16: 65504.0, BFLOAT16: (2 - 2.0**-7) * 2.0**127}
MOST_SHOWN = 4  # channels of a repair, or outliers


@dataclass(frozen=True)
class Repair:
    """A scale that kernels would not take as values want it, and the one that is written instead.

    where: the label of a node or tensor. channels: of a weight with several scales; else (). wanted, written: a scale
    for each of these channels, or one. reason: why. cost: what the values lose by it.
    """

    where: str
    channels: tuple[int, ...]
    wanted: tuple[float, ...]
    written: tuple[float, ...]
    reason: str
    cost: str

    def __str__(self) -> str:
        pairs = [f"{a:.3g} -> {b:.3g}" for a, b in zip(self.wanted, self.written, strict=True)][:MOST_SHOWN]
        if self.channels:
            pairs = [f"channel {c} {pair}" for c, pair in zip(self.channels, pairs, strict=False)]
        more = len(self.written) - len(pairs)
        return (
            f"{self.where}: scale {', '.join(pairs)}{f' and {more} more' if more else ''}: {self.reason}; {self.cost}"
        )


@dataclass
class Assignments:
    """Decisions of one quantization, to be printed, reviewed and then given to `apply`.

    produced: how a tensor leaves its producer (or enters the model). consumed: how a node takes an input. results: how
    an output leaves its subgraph. What is absent stays as it is. kinds: the kind in which each converted node computes.
    rules: which rule it follows. values: real values that take the place of a constant, or of none, in one use.
    kept_float: labels of nodes that stay as they are, with the reason. repairs: what was changed so that runtimes take
    the file. outliers: samples that widen the ranges which the others need.
    """

    model: Model
    recipe: Recipe
    produced: dict[Tensor, Encoding] = field(default_factory=dict)
    consumed: dict[Use, Encoding] = field(default_factory=dict)
    results: dict[Tensor, Encoding] = field(default_factory=dict)
    kinds: dict[Node, str] = field(default_factory=dict)
    rules: dict[Node, Rule] = field(default_factory=dict)
    values: dict[Use, np.ndarray] = field(default_factory=dict)
    kept_float: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)
    outliers: list[Outlier] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: the decisions by tensor and node name."""
        return {
            "scheme": self.recipe.name,
            "tensors": {t.name: str(e) for t, e in self.produced.items()},
            "inputs": [{"node": node.label, "input": i, "stored": str(e)} for (node, i), e in self.consumed.items()],
            "converted": [{"node": node.label, "kind": kind} for node, kind in self.kinds.items()],
            "kept_float": [{"node": label, "reason": reason} for label, reason in self.kept_float],
            "notes": list(self.notes),
            "repairs": [asdict(repair) for repair in self.repairs],
            "outliers": [outlier._asdict() for outlier in self.outliers],
        }

    def __str__(self) -> str:
        total = sum(len(s.nodes) for s in self.model.subgraphs)
        lines = [f"{self.recipe.name}: {len(self.kinds)} of {total} operators converted"]
        lines += [f"  stays as it is: {label}: {reason}" for label, reason in self.kept_float]
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  repair: {repair}" for repair in self.repairs]
        lines += [f"  outlier: {outlier}" for outlier in self.outliers[:MOST_SHOWN]]
        if len(self.outliers) > MOST_SHOWN:
            lines.append(f"  and in {len(self.outliers) - MOST_SHOWN} more tensors; other calibrations clip outliers")
        return "\n".join(lines)
