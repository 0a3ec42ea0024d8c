"""Where the time of a run goes: a row for each step, and the table, CSV and trace that are made of them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pyquant.ops import find
from pyquant.run.cost import cost
from pyquant.run.peak import peak
from pyquant.table import Column, count, lines, short, size

if TYPE_CHECKING:
    from pyquant.run.plan import Step

COLUMNS = [
    Column("tensor", cut=True),
    Column("op"),
    Column("kernel"),
    Column("shape", rank=3),
    *(Column(name, number=True) for name in ("ms", "%")),
    *(Column(name, number=True, rank=2) for name in ("MACs", "bytes")),
    *(Column(name, number=True, rank=1) for name in ("GMAC/s", "% of peak")),
]


@dataclass(frozen=True, eq=False)
class Timing:
    """What a step took. seconds: the median of its runs. macs: multiply-accumulates, None where they are not known.

    bytes: read and written, weights among them. threads: of the run.
    """

    step: Step
    seconds: float
    macs: int | None
    bytes: int
    threads: int

    @property
    def op(self) -> str:
        return self.step.ops

    @property
    def kernel(self) -> str:
        return self.step.kernel

    @property
    def tensor(self) -> str:
        """The name of the first output."""
        return self.step.outputs[0].name if self.step.outputs else ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first output."""
        return self.step.outputs[0].shape if self.step.outputs else ()

    @property
    def macs_per_second(self) -> float | None:
        """None for steps without multiply-accumulates."""
        return self.macs / self.seconds if self.macs and self.seconds else None

    @property
    def share(self) -> float | None:
        """Of what the threads multiply and add at most in numbers of this type, which the first call measures.

        None for steps without multiply-accumulates, and those that do not run in C.
        """
        operator = None if self.step.node is None else find(self.step.node.op)
        if operator is None or self.step.node is None or self.kernel == "numpy" or self.macs_per_second is None:
            return None
        most = peak(operator.kind(self.step.node))
        return None if most is None else self.macs_per_second / (most * self.threads)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "op": self.op,
            "tensor": self.tensor,
            "kernel": self.kernel,
            "shape": list(self.shape),
            "seconds": self.seconds,
            "macs": self.macs,
            "bytes": self.bytes,
            "macs_per_second": self.macs_per_second,
            "share": self.share,
        }


@dataclass(frozen=True, eq=False)
class Profile:
    """The timings of a plan's steps, in their order. `print(profile)` shows the slowest first."""

    timings: tuple[Timing, ...]

    @staticmethod
    def of(timed: Sequence[tuple[Step, float]], threads: int) -> Profile:
        """From the seconds of each step."""
        return Profile(tuple(_timing(step, seconds, threads) for step, seconds in timed))

    def __iter__(self) -> Iterator[Timing]:
        return iter(self.timings)

    def __len__(self) -> int:
        return len(self.timings)

    @property
    def seconds(self) -> float:
        """Of all steps."""
        return sum(timing.seconds for timing in self)

    @property
    def macs(self) -> int:
        """Of the steps where they are known."""
        return sum(timing.macs or 0 for timing in self)

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """The steps and their sum as a table, the slowest first, in at most `width` characters where that can be."""
        total = self.seconds or 1.0
        slowest = sorted(self, key=lambda timing: -timing.seconds)
        rate = f"{self.macs / total * 1e-9:.2f}" if self.macs else ""
        sums = [f"{self.seconds * 1e3:.4f}", "100.0", count(self.macs), size(sum(t.bytes for t in self)), rate, ""]
        rows = [_cells(timing, total) for timing in slowest]
        return "\n".join(lines(COLUMNS, [*rows, [f"{len(self)} steps", "", "", "", *sums]], width))

    def csv(self) -> str:
        """A header and a line for each step, in their order. Shapes are written 1x8x8x3."""
        import csv

        stream = io.StringIO()
        rows = [timing.to_dict() for timing in self]
        names = list(rows[0]) if rows else ["op"]
        writer = csv.DictWriter(stream, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "shape": _shape(row["shape"])} for row in rows)
        return stream.getvalue()

    def trace(self) -> dict[str, Any]:
        """The steps one after the other in Chrome's trace format, for chrome://tracing and Perfetto."""
        events: list[Mapping[str, Any]] = []
        now = 0.0
        for timing in self:
            args = {name: value for name, value in timing.to_dict().items() if value is not None}
            times = {"ts": now * 1e6, "dur": timing.seconds * 1e6}  # µs
            events.append(
                {"name": timing.op, "cat": timing.kernel, "ph": "X", "pid": 0, "tid": 0, **times, "args": args}
            )
            now += timing.seconds
        return {"traceEvents": events, "displayTimeUnit": "ns"}


def _timing(step: Step, seconds: float, threads: int) -> Timing:
    if step.node is None:  # an observer
        return Timing(step, seconds, 0, 0, threads)
    costs = cost(replace(step.node, inputs=list(step.inputs), outputs=list(step.outputs)))  # in the shapes of this plan
    moved = costs.read_bytes + costs.weight_bytes + costs.written_bytes
    return Timing(step, seconds, costs.macs, moved, threads)


def _cells(timing: Timing, total: float) -> list[str]:
    rate, share = timing.macs_per_second, timing.share
    return [
        short(timing.tensor),
        timing.op,
        timing.kernel,
        _shape(timing.shape),
        f"{timing.seconds * 1e3:.4f}",
        f"{100 * timing.seconds / total:.1f}",
        count(timing.macs) if timing.macs else "",
        size(timing.bytes),
        "" if rate is None else f"{rate * 1e-9:.2f}",
        "" if share is None else f"{100 * share:.1f}",
    ]


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
