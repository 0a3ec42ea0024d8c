"""What a comparison found: per tensor, the first divergence, and the verdict; as objects, text or JSON data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from pyquant.table import Column, lines

HEADER = ("tensor", "op", "type", "elements", "equal", "max diff", "relative", "SQNR dB")
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


@dataclass(frozen=True)
class TensorReport:
    """One tensor over all samples.

    max_difference: in codes for integers, as it is for floats. relative: that over the range of their values.
    sqnr: the power of their real values over that of the difference, in dB; infinite where they are equal.
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
        return {"ok": self.ok, **{name: _plain(value) for name, value in asdict(self).items()}}

    def __str__(self) -> str:
        columns = [Column(name, number=i >= WORDS) for i, name in enumerate(HEADER)]
        table = lines(columns, [cells(t) for t in self.tensors])
        title = f"compared with {self.against}: {self.samples} samples, numerics {self.numerics}"
        return "\n".join([title, *self.notes, *table, self.verdict])

    @property
    def verdict(self) -> str:
        """One line: whether the model passed, and where it first did not."""
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
    sqnr = "inf" if math.isinf(t.sqnr) else f"{t.sqnr:.1f}"
    return name, t.op, t.dtype, str(t.elements), share, f"{t.max_difference:.3g}", f"{t.relative:.1e}", sqnr


def short(name: str) -> str:
    """The last of the names that the TFLite converter joins by `;` for a fused operator."""
    _, joint, last = name.rpartition(";")
    return "…" * bool(joint) + last


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
