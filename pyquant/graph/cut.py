"""Takes a model apart: what lies between tensors, and the two sides of a cut."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from pyquant.errors import GraphError
from pyquant.graph.check import check
from pyquant.graph.edit import ADVICE, OF_ENDS, called_by, drop_metadata, remove_unused
from pyquant.graph.find import Which, indices
from pyquant.graph.model import Model, Node, Tensor
from pyquant.graph.signatures import arguments

_HANDLES = ("resource", "variant")  # types that no caller can give or take


def extract(
    model: Model, inputs: Which | Iterable[Which] | None = None, outputs: Which | Iterable[Which] | None = None
) -> Model:
    """The part of the main subgraph that computes `outputs` from `inputs`: tensors, their names or indices.

    None stands for the model's own; an own input that the outputs do not need goes. Where the part touches resources
    (variables, hash tables), all that reads or writes resources comes along. Subgraphs that no kept operator calls go,
    and so does metadata that describes nodes or tensors by index, or inputs and outputs that are others now.
    Raises GraphError that names every input that is missing, and an operator that shares a variable but is left out.

    >>> extract(pq.open("model.tflite"), outputs="features").save("backbone.tflite")  # doctest: +SKIP
    """
    made = model.copy()
    graph = made.main
    starts = graph.inputs if inputs is None else [graph.tensors[i] for i in indices(model, model.main, inputs)]
    ends = graph.outputs if outputs is None else [graph.tensors[i] for i in indices(model, model.main, outputs)]
    _check_ends(graph.inputs, starts, ends)
    nodes = _needed(graph.nodes, starts, ends)
    missing = _missing(nodes, starts, ends)
    if missing:
        raise GraphError(f"to compute {_names(ends)} from {_names(starts)}, inputs have to be {_names(missing)} too")
    used = {tensor for node in nodes for tensor in node.inputs} | set(ends)
    unused = [tensor for tensor in starts if tensor not in used]
    if unused and inputs is not None:
        raise GraphError(f"{_names(unused)} does not lead to {_names(ends)}")
    _check_variables(graph.nodes, nodes)
    _set_ends(made, [tensor for tensor in dict.fromkeys(starts) if tensor in used], ends)
    graph.nodes = nodes
    called = called_by(nodes)
    made.subgraphs = [graph, *(s for s in made.subgraphs[1:] if s in called)]
    made.signatures = [s for s in made.signatures if s.subgraph in made.subgraphs]
    drop_metadata(made, ADVICE)
    remove_unused(made)
    return check(made)


def split(model: Model, at: Which | Iterable[Which]) -> tuple[Model, Model]:
    """The model cut in two at one or several tensors: the first part computes them, the second goes on from them.

    Outputs that do not need what is after the cut are the first part's. The second part may take inputs of the model
    as well. What depends on constants alone may stand in both. Raises GraphError that names every other tensor that
    crosses the cut, and an operator that writes a state that both parts use.
    """
    graph = model.main
    cut = [graph.tensors[i] for i in indices(model, graph, at)]
    after = _computed_from(graph.nodes, cut)
    late = [tensor for tensor in graph.outputs if tensor in after]
    if not late:
        raise GraphError(f"no output of the model is computed from {_names(cut)}")
    early = [tensor for tensor in graph.outputs if tensor not in after]
    first = dict.fromkeys(_needed(graph.nodes, graph.inputs, [*cut, *early]))
    second = _needed(graph.nodes, [*cut, *graph.inputs], late)
    _check_crossing(graph.nodes, graph.inputs, cut, first, second)
    read = {tensor for node in second for tensor in node.inputs} | set(late)
    unread = [tensor for tensor in cut if tensor not in read]
    if unread:
        raise GraphError(f"nothing behind {_names(t for t in cut if t in read)} reads {_names(unread)}")
    own = [tensor for tensor in graph.inputs if tensor in read and tensor not in cut]
    return extract(model, outputs=dict.fromkeys([*cut, *early])), extract(model, [*cut, *own], late)


def _check_ends(own: Collection[Tensor], starts: Iterable[Tensor], ends: Iterable[Tensor]) -> None:
    for tensor in starts:
        if (tensor.is_constant or tensor.is_variable) and tensor not in own:
            kind = "constant" if tensor.is_constant else "variable"
            raise GraphError(f"tensor {tensor.name!r} is a {kind} and cannot be an input")
    for tensor in (*starts, *ends):
        if tensor.dtype.name in _HANDLES:
            raise GraphError(f"tensor {tensor.name!r} is a {tensor.dtype} and cannot be an input or output")


def _needed(nodes: Sequence[Node], starts: Iterable[Tensor], ends: Iterable[Tensor]) -> list[Node]:
    """The nodes that compute `ends` from `starts`, in order, and those that share resources with them."""
    given = set(starts)
    kept = _backwards(nodes, given, ends)
    if any(map(_touches_state, kept)):
        kept = _backwards(nodes, given, ends, {n for n in nodes if _touches_state(n) or not n.outputs})
    return kept


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


def _missing(kept: Sequence[Node], starts: Collection[Tensor], ends: Iterable[Tensor]) -> list[Tensor]:
    """The tensors without which `starts` do not suffice: where other ways join theirs, or else where those begin."""
    written = {tensor for node in kept for tensor in node.outputs}
    read = dict.fromkeys([t for node in kept for t in node.inputs if t is not None] + [*ends])
    origins = [t for t in read if t not in written and t not in starts and not _has_value(t)]
    after, elsewhere = _computed_from(kept, starts), _computed_from(kept, origins) | set(origins)
    if any(tensor in elsewhere and tensor not in after for tensor in ends):
        return origins
    beside = elsewhere - after - set(starts)
    joining = [t for node in kept if not after.isdisjoint(node.outputs) for t in node.inputs if t in beside]
    return list(dict.fromkeys(t for t in joining if t is not None)) or origins


def _has_value(tensor: Tensor) -> bool:
    return tensor.is_constant or tensor.is_variable or tensor.size == 0 or "external_buffer" in tensor.extra


def _touches_state(node: Node) -> bool:
    """True for what works on a variable or table that lives from one run to the next, or calls what does."""
    reached = [node, *(inner for subgraph in called_by([node]) for inner in subgraph.nodes)]
    return any(t is not None and t.dtype.name == "resource" for n in reached for t in (*n.inputs, *n.outputs))


def _check_variables(nodes: Iterable[Node], kept: Iterable[Node]) -> None:
    """A variable tensor belongs to what is kept, or to what is left out."""
    inside = set(kept)
    owners = {t: node for node in inside for t in node.inputs if t is not None and t.is_variable}
    for node in nodes:
        for tensor in node.inputs if node not in inside else ():
            if tensor in owners:
                raise GraphError(f"{node.label} is left out, and shares {tensor.name!r} with {owners[tensor].label}")


def _check_crossing(
    nodes: Sequence[Node],
    inputs: Iterable[Tensor],
    cut: Collection[Tensor],
    first: Collection[Node],
    second: Iterable[Node],
) -> None:
    """What both sides of a cut hold is computed from constants alone, and changes no state."""
    by_input = _computed_from(nodes, inputs)
    written = {tensor for node in first for tensor in node.outputs} & by_input
    read = dict.fromkeys(t for node in second if node not in first for t in node.inputs if t is not None)
    crossing = [tensor for tensor in read if tensor in written and tensor not in cut]
    if crossing:
        raise GraphError(f"{_names(cut)} is not all that crosses the cut: also {_names(crossing)}")
    for node in second:
        if node in first and _changes_state(node):
            raise GraphError(f"{node.label}: changes a state that both sides of the cut at {_names(cut)} use")


def _changes_state(node: Node) -> bool:
    """True for what writes a resource with more than constants, in itself or in subgraphs."""
    given = [t for t in node.inputs if t is not None and t.dtype.name != "resource" and not t.is_constant]
    return _touches_state(node) and bool(given) and (not node.outputs or bool(node.subgraphs))


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
    drop_metadata(model, OF_ENDS)
    model.signatures = [
        replace(s, inputs=arguments(s.inputs, inputs), outputs=arguments(s.outputs, outputs))
        if s.subgraph is graph
        else s
        for s in model.signatures
    ]
    graph.inputs, graph.outputs = inputs, outputs


def _names(tensors: Iterable[Tensor]) -> str:
    return ", ".join(repr(tensor.name) for tensor in tensors) or "nothing"
