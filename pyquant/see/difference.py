"""Differences between two models as values, and all of them together."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from pyquant.see.cost import Totals
from pyquant.see.weights import Distance

# kind -> what it holds
KINDS = {
    "graph": "operators added, removed, exchanged, or fed from elsewhere; inputs, outputs, subgraphs",
    "version": "operator versions",
    "option": "options of operators",
    "tensor": "shapes and element types",
    "quantization": "scales, zero points, axes",
    "weights": "real values of constants",
    "signature": "signatures",
    "metadata": "metadata, description, bytes after the model",
    "name": "names of tensors and subgraphs",
    "layout": "order of tables and buffers: what does not change the model",
}


@dataclass(frozen=True)
class Difference:
    """One thing that differs. before, after: plain data, None where that side has nothing.

    kind: of KINDS. where: the name of a tensor, of a node's first output, of a subgraph or signature, or "model".
    op: the node's operator. distance: of constants whose real values could be compared.
    """

    kind: str
    where: str
    what: str
    before: Any = None
    after: Any = None
    distance: Distance | None = None
    op: str = ""


@dataclass(frozen=True)
class Diff:
    """What differs between two models, in the order of execution. ignored: kinds that do not count."""

    differences: tuple[Difference, ...]
    totals: tuple[Totals, Totals]
    ignored: frozenset[str] = field(default=frozenset({"layout"}))

    @property
    def same(self) -> bool:
        """Whether nothing differs but what is ignored."""
        return all(d.kind in self.ignored for d in self.differences)

    def of(self, kind: str) -> tuple[Difference, ...]:
        """The differences of a kind."""
        return tuple(d for d in self.differences if d.kind == kind)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        before, after = map(asdict, self.totals)
        return {
            "same": self.same,
            "ignored": sorted(self.ignored),
            "counts": {kind: len(self.of(kind)) for kind in KINDS},
            "totals": {name: [value, after[name]] for name, value in before.items()},
            "differences": [asdict(d) for d in self.differences],
        }

    def __str__(self) -> str:
        from pyquant.see.diff_text import diff_text

        return diff_text(self)
