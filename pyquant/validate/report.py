"""What a comparison found: per tensor, the first divergence, and the verdict; as objects, text or JSON data."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyquant.graph import Model
from pyquant.run.feeds import storable
from pyquant.table import Column, lines, short
from pyquant.wire.file import check_target

HEADER = ("tensor", "op", "type", "elements", "equal", "max diff", "relative", "SQNR dB")
OWN = "own diff"
WORDS = 3  # columns of words, before those of numbers


@dataclass(frozen=True)
class Divergence:
    """The first element of a tensor that differs by more than is allowed."""

    node: str
    tensor: str
    sample: int
    index: tuple[int, ...]
    ours: float
    theirs: float

    def __str__(self) -> str:
        at = f"sample {self.sample}, element {list(self.index)}"
        return f"{self.node}: tensor {self.tensor!r}, {at}: ours {self.ours:g}, theirs {self.theirs:g}"


@dataclass(frozen=True, eq=False)
class OwnDifference:
    """The first operator that differs though it was fed the same.

    model: that operator alone. inputs, expected: what it was fed, in the order of the model's inputs, and the other
    side's outputs.
    """

    divergence: Divergence
    model: Model
    inputs: tuple[np.ndarray, ...]
    expected: tuple[np.ndarray, ...]

    @staticmethod
    def arrays_beside(path: Path) -> Path:
        """Where inputs and outputs of the model that is saved at `path` are."""
        return path.with_suffix(".npz")

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write what reproduces it: the model, and beside it a .npz of its input_0 … and the expected_0 … outputs."""
        inputs = {f"input_{i}": storable(array) for i, array in enumerate(self.inputs)}
        expected = {f"expected_{i}": storable(array) for i, array in enumerate(self.expected)}
        arrays = self.arrays_beside(Path(path))
        check_target(arrays, overwrite)
        self.model.save(path, overwrite=overwrite)
        np.savez_compressed(arrays, **inputs, **expected)  # type: ignore[arg-type]


@dataclass(frozen=True)
class TensorReport:
    """One tensor over all samples.

    max_difference: in codes for integers, as it is for floats. relative: that over the range of their values.
    sqnr: the power of their real values over that of the difference, in dB; infinite where they are equal.
    own: max_difference of the operator fed with the other side's values; None where it was not run so.
    """

    name: str
    op: str
    dtype: str
    elements: int
    equal: int
    max_difference: float
    relative: float
    sqnr: float
    is_output: bool
    divergence: Divergence | None
    own: float | None = None


@dataclass(frozen=True)
class Report:
    """A model's tensors in execution order, compared with another runtime or another model.

    ok: no tensor diverges, or, where min_sqnr is stated, every output reaches it.
    """

    against: str
    resolver: str
    numerics: str
    samples: int
    tolerance: float
    min_sqnr: float | None
    tensors: tuple[TensorReport, ...]
    notes: tuple[str, ...] = ()
    first_own_difference: OwnDifference | None = None

    @property
    def outputs(self) -> tuple[TensorReport, ...]:
        return tuple(t for t in self.tensors if t.is_output)

    @property
    def first_divergence(self) -> Divergence | None:
        """That of the first tensor in execution order that has one."""
        return next((t.divergence for t in self.tensors if t.divergence), None)

    @property
    def ok(self) -> bool:
        if self.min_sqnr is not None:
            return all(t.sqnr >= self.min_sqnr for t in self.outputs)
        return self.first_divergence is None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; what is infinite or not a number becomes null."""
        first = self.first_own_difference
        plain = asdict(replace(self, first_own_difference=None))
        plain["first_own_difference"] = None if first is None else asdict(first.divergence)
        return {"ok": self.ok, **{name: _plain(value) for name, value in plain.items()}}

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns of `rows`."""
        return (*HEADER, OWN) if self._alone else HEADER

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """One for each tensor."""
        if not self._alone:
            return [cells(t) for t in self.tensors]
        return [(*cells(t), "" if t.own is None else f"{t.own:.3g}") for t in self.tensors]

    @property
    def _alone(self) -> bool:
        return any(t.own is not None for t in self.tensors)

    def __str__(self) -> str:
        columns = [Column(name, number=i >= WORDS) for i, name in enumerate(self.header)]
        table = lines(columns, self.rows)
        title = f"compared with {self.against}: {self.samples} samples, numerics {self.numerics}"
        return "\n".join([title, *self.notes, *table, self.verdict])

    @property
    def verdict(self) -> str:
        """Whether the model passed, where it first did not, and which operator is the first to differ by itself."""
        if self.first_own_difference is None:
            return self._result
        return f"{self._result}\nfirst operator that differs by itself: {self.first_own_difference.divergence}"

    @property
    def _result(self) -> str:
        if self.min_sqnr is not None:
            lowest = min((t.sqnr for t in self.outputs), default=math.inf)
            word = "ok" if self.ok else "FAILED"
            return f"{word}: lowest SQNR of an output {lowest:.1f} dB, {self.min_sqnr:g} asked for"
        if self.first_divergence:
            return f"FAILED: first divergence at {self.first_divergence}"
        return f"ok: {len(self.tensors)} tensors, integers equal, floats within {self.tolerance:g} of their range"


def cells(t: TensorReport) -> tuple[str, ...]:
    """A tensor's row in a table."""
    share = "all" if t.equal == t.elements else f"{100 * t.equal / t.elements:.3f} %"
    name = short(t.name) + (" (output)" if t.is_output else "")
    difference = f"{t.max_difference:.3g}"
    return name, t.op, t.dtype, str(t.elements), share, difference, f"{t.relative:.1e}", f"{t.sqnr:.1f}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
