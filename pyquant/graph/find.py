"""Finds the tensors that a caller names: by the tensor itself, its name, its name in a signature, or its index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyquant.errors import GraphError
from pyquant.graph.model import Model, Subgraph, Tensor

Which = Tensor | str | int


def indices(model: Model, subgraph: Subgraph, wanted: Which | Iterable[Which]) -> list[int]:
    """The places in `subgraph.tensors` of one or several tensors. Raises GraphError for none, or a name with several.

    An index finds the same tensor in a copy of the model.
    """
    several = [wanted] if isinstance(wanted, Tensor | str | int) else list(wanted)
    return [_index(model, subgraph, which) for which in several]


def find(model: Model, subgraph: Subgraph, wanted: Which | Iterable[Which]) -> list[Tensor]:
    """The tensors themselves. Raises GraphError as `indices` does."""
    return [subgraph.tensors[i] for i in indices(model, subgraph, wanted)]


def _index(model: Model, subgraph: Subgraph, which: Which) -> int:
    tensors = subgraph.tensors
    if isinstance(which, int):
        if not 0 <= which < len(tensors):
            raise GraphError(f"tensor {which}: the subgraph has tensors 0 to {len(tensors) - 1}")
        return which
    if isinstance(which, Tensor):
        found = [i for i, tensor in enumerate(tensors) if tensor is which]
    else:
        found = [i for i, tensor in enumerate(tensors) if tensor.name == which]
        found = found or _in_signatures(model, subgraph, which)
        if not found and which.isdecimal():  # an index, as a command line gives it
            return _index(model, subgraph, int(which))
    if len(found) == 1:
        return found[0]
    name = which.name if isinstance(which, Tensor) else which
    if found:
        raise GraphError(f"{len(found)} tensors are called {name!r}: give an index, one of {found}")
    other = "; one of that name is of another model" if isinstance(which, Tensor) else _similar(name, tensors)
    raise GraphError(f"the subgraph has no tensor {name!r}{other}")


def _in_signatures(model: Model, subgraph: Subgraph, name: str) -> list[int]:
    signatures = [s for s in model.signatures if s.subgraph is subgraph]
    named = {tensor for s in signatures for key, tensor in (*s.inputs, *s.outputs) if key == name}
    return [i for i, tensor in enumerate(subgraph.tensors) if tensor in named]


def _similar(name: str, tensors: Sequence[Tensor]) -> str:
    """Names that contain the wanted one, for whoever mistyped it."""
    near = [repr(t.name) for t in tensors if name and name.lower() in t.name.lower() and not t.is_constant]
    return f"; did you mean {' or '.join(near[:3])}?" if near else ""
