"""Takes a model apart: what lies between tensors, and the two sides of a cut."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from pyquant.errors import GraphError
from pyquant.graph.check import check
from pyquant.graph.edit import called_by, drop_description_of_ends, remove_unused
from pyquant.graph.find import Which, indices
from pyquant.graph.model import Model, Node, Signature, Subgraph, Tensor


def extract(
    model: Model, inputs: Which | Iterable[Which] | None = None, outputs: Which | Iterable[Which] | None = None
) -> Model:
    """The part of the main subgraph that computes `outputs` from `inputs`: tensors, their names or indices.

    None stands for the model's own; an own input that the outputs do not need goes. Where the part touches resources
    (variables, hash tables), all that reads or writes resources comes along. Subgraphs that no kept operator calls go,
    and so does metadata that describes inputs and outputs. Raises GraphError that names every input that is missing.

    >>> extract(pq.open("model.tflite"), outputs="features").save("backbone.tflite")  # doctest: +SKIP
    """
    made = model.copy()
    graph = made.main
    starts = graph.inputs if inputs is None else [graph.tensors[i] for i in indices(model, model.main, inputs)]
    ends = graph.outputs if outputs is None else [graph.tensors[i] for i in indices(model, model.main, outputs)]
    for tensor in starts:
        if tensor.is_constant:
            raise GraphError(f"tensor {tensor.name!r} is a constant and cannot be an input")
    nodes, missing = _needed(graph.nodes, starts, ends)
    if missing:
        raise GraphError(f"to compute {_names(ends)} from {_names(starts)}, inputs have to be {_names(missing)} too")
    used = {tensor for node in nodes for tensor in node.inputs} | set(ends)
    kept = [tensor for tensor in starts if inputs is not None or tensor in used]
    _set_ends(made, kept, ends)
    graph.nodes = nodes
    called = called_by(nodes)
    made.subgraphs = [graph, *(s for s in made.subgraphs[1:] if s in called)]
    made.signatures = [s for s in made.signatures if s.subgraph in made.subgraphs]
    remove_unused(made)
    return check(made)


def split(model: Model, at: Which | Iterable[Which]) -> tuple[Model, Model]:
    """The model cut in two at one or several tensors: the first part computes them, the second goes on from them.

    Outputs that do not need what is after the cut are the first part's. The second part may take inputs of the model
    as well. Raises GraphError that names every other tensor that crosses the cut.
    """
    graph = model.main
    cut = [graph.tensors[i] for i in indices(model, graph, at)]
    after = _computed_from(graph.nodes, cut)
    late = [tensor for tensor in graph.outputs if tensor in after]
    if not late:
        raise GraphError(f"no output of the model is computed from {_names(cut)}")
    early = [tensor for tensor in graph.outputs if tensor not in after]
    first, _ = _needed(graph.nodes, graph.inputs, [*cut, *early])
    second, missing = _needed(graph.nodes, cut, late)
    written = {tensor for node in first for tensor in node.outputs}
    read = {t: None for node in second if node not in first for t in node.inputs if t is not None}
    crossing = [tensor for tensor in read if tensor in written and tensor not in cut]
    if crossing:
        raise GraphError(f"{_names(cut)} is not all that crosses the cut: also {_names(crossing)}")
    return extract(model, outputs=dict.fromkeys([*cut, *early])), extract(model, [*cut, *missing], late)


def _needed(nodes: Sequence[Node], starts: Iterable[Tensor], ends: Iterable[Tensor]) -> tuple[list[Node], list[Tensor]]:
    """The nodes that compute `ends` from `starts`, in order; and the tensors without which they cannot."""
    given, ends = set(starts), list(ends)
    kept = _backwards(nodes, given, ends)
    if any(map(_touches_state, kept)):
        kept = _backwards(nodes, given, ends, [n for n in nodes if _touches_state(n) or not n.outputs])
    written = {tensor for node in kept for tensor in node.outputs}
    read = dict.fromkeys([t for node in kept for t in node.inputs if t is not None] + ends)
    return kept, [t for t in read if t not in written and t not in given and not _has_value(t)]


def _backwards(
    nodes: Sequence[Node], given: set[Tensor], ends: Iterable[Tensor], always: Collection[Node] = ()
) -> list[Node]:
    """The nodes of `always`, and all on which they and `ends` depend, short of what is given."""
    wanted = set(ends) - given
    kept = []
    for node in reversed(nodes):
        if node in always or not wanted.isdisjoint(node.outputs):
            kept.append(node)
            wanted.update(t for t in node.inputs if t is not None and t not in given)
    return kept[::-1]


def _has_value(tensor: Tensor) -> bool:
    return tensor.is_constant or tensor.is_variable or tensor.size == 0 or "external_buffer" in tensor.extra


def _touches_state(node: Node) -> bool:
    """True for what works on a resource: a variable or a table that lives from one run to the next."""
    return any(t is not None and t.dtype.name == "resource" for t in (*node.inputs, *node.outputs))


def _computed_from(nodes: Sequence[Node], starts: Iterable[Tensor]) -> set[Tensor]:
    after: set[Tensor] = set()
    sources = set(starts)
    for node in nodes:
        if any(tensor in sources or tensor in after for tensor in node.inputs):
            after.update(node.outputs)
    return after


def _set_ends(model: Model, inputs: list[Tensor], outputs: list[Tensor]) -> None:
    """Give the main subgraph inputs and outputs. Its signatures keep the names of those that they know."""
    graph = model.main
    if inputs == graph.inputs and outputs == graph.outputs:
        return
    drop_description_of_ends(model)
    model.signatures = [
        replace(s, inputs=_arguments(s.inputs, inputs), outputs=_arguments(s.outputs, outputs))
        if s.subgraph is graph
        else s
        for s in model.signatures
    ]
    graph.inputs, graph.outputs = inputs, outputs


def _arguments(known: Sequence[tuple[str, Tensor]], tensors: Sequence[Tensor]) -> list[tuple[str, Tensor]]:
    """A name for each tensor: the one that it has, or its own, each once."""
    names = {tensor: name for name, tensor in reversed(known)}
    named: dict[str, Tensor] = {}
    for tensor in dict.fromkeys(tensors):
        named[unused_name(names.get(tensor, tensor.name), named)] = tensor
    return list(named.items())


def unused_name(name: str, taken: Collection[str]) -> str:
    """The name, with a number after it where it is taken."""
    candidates = (f"{name}_{i}" for i in range(1, len(taken) + 2))
    return next(n for n in (name, *candidates) if n not in taken)


def _names(tensors: Iterable[Tensor]) -> str:
    return ", ".join(repr(tensor.name) for tensor in tensors) or "nothing"


def signature_of(subgraph: Subgraph, key: str = "serving_default") -> Signature:
    """A signature that takes and returns what a subgraph does, by the tensors' names."""
    return Signature(key, subgraph, _arguments((), subgraph.inputs), _arguments((), subgraph.outputs))
