"""What would run each node of a model, told without compiling it: so for models that do not run, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pyquant.errors import PyQuantError
from pyquant.graph import Subgraph, Tensor
from pyquant.run.choose import Chooser
from pyquant.run.limits import Limits
from pyquant.run.resolve import constant_value


def listing(graph: Subgraph, isa: str | None = None, numerics: str = "tflite") -> Iterator[tuple[str, str]]:
    """For each node a kernel as `Step.kernel` names it, and ""; or "none", and why nothing runs it.

    Raises OptionError for an isa or numerics that is not known.
    """
    chooser = Chooser.of(isa, numerics, 1, Limits.of(graph))
    written = set(graph.inputs)
    folded: dict[Tensor, Tensor] = {}
    for node in graph.nodes:
        seen = replace(node, inputs=[folded.get(t, t) if t is not None else None for t in node.inputs])
        known = [t for t in seen.inputs if t is not None and t not in written and not t.is_variable]
        written.update(node.outputs)
        try:
            if node.inputs and len(known) + seen.inputs.count(None) == len(seen.inputs):
                made = chooser.fold(seen, [None if t is None else constant_value(t) for t in seen.inputs])
                folded.update(zip(node.outputs, made, strict=True))
                yield "constant", ""
            else:
                yield chooser.kernel(seen), ""
        except PyQuantError as error:
            yield "none", str(error)
