"""Chains two models: what one computes is what the other takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pyquant.errors import GraphError
from pyquant.graph.edit import ADVICE, OF_ENDS, drop_metadata
from pyquant.graph.find import Which, find
from pyquant.graph.model import Buffer, Model, Node, Signature, Tensor
from pyquant.graph.signatures import arguments, unused_name
from pyquant.graph.strip import dedupe

MINIMUM_VERSION = "min_runtime_version"  # a string such as 2.14.0
# Options of what makes a variable or table -> their field that names it for all subgraphs of a model.
STATE_FIELDS = {"VarHandleOptions": "shared_name", "HashtableOptions": "table_id"}


def merge(first: Model, second: Model, binding: Mapping[Any, Which] | None = None) -> Model:
    """One model that runs `first`, then `second` on its outputs.

    binding: input of `second` -> output, input or other computed tensor of `first`. Without it, an input of `second`
    takes what has its name among the outputs and inputs of `first`; where no name agrees, inputs take the outputs in
    order. An input that takes nothing becomes one of the whole model. Outputs are those of `second`, then those of
    `first` that `second` does not take. The signature that runs the whole has the key of the first that there is, and
    keeps names of arguments and results; other subgraphs keep theirs. Tensors, signatures, variables and tables of
    `second` get another name where `first` has theirs. Metadata that describes inputs and outputs, or nodes or tensors
    by index, goes; that of `second` is added where `first` has none of that name; the higher min_runtime_version stays.
    Raises GraphError where types, shapes or quantization of two ends differ.
    """
    made, tail = first.copy(), second.copy()
    bound = _bound(made, tail, binding)
    for taker, giver in bound.items():
        _check_same(taker, giver)
    _rename_apart(made, [t for s in tail.subgraphs for t in s.tensors if t not in bound])
    _tell_state_apart(made, tail)
    graph, rest = made.main, tail.main
    for node in rest.nodes:
        _replace(node, bound)
    graph.tensors += [tensor for tensor in rest.tensors if tensor not in bound]
    graph.nodes += rest.nodes
    graph.inputs += [tensor for tensor in rest.inputs if tensor not in bound]
    given = set(bound.values())
    kept = [tensor for tensor in graph.outputs if tensor not in given]
    graph.outputs = list(dict.fromkeys([*(bound.get(t, t) for t in rest.outputs), *kept]))
    made.subgraphs += tail.subgraphs[1:]
    made.opcodes += tail.opcodes
    made.buffers = made.buffers + tail.buffers[1:] if made.buffers else tail.buffers
    for mine, theirs in ((made.extra, tail.extra), (graph.extra, rest.extra)):
        if "newer" in theirs:
            mine["newer"] = (*mine.get("newer", ()), *theirs["newer"])
    _join_metadata(made, tail)
    _sign(made, tail, bound)
    return dedupe(made)


def _bound(made: Model, tail: Model, binding: Mapping[Any, Which] | None) -> dict[Tensor, Tensor]:
    """Input of the second model -> tensor of the first."""
    if binding is not None:
        takers, givers = find(tail, tail.main, binding), find(made, made.main, binding.values())
        for taker in takers:
            if taker not in tail.main.inputs:
                raise GraphError(f"tensor {taker.name!r} is not an input of the second model")
        return dict(zip(takers, givers, strict=True))
    named = {tensor.name: tensor for tensor in (*made.main.inputs, *made.main.outputs) if tensor.name}
    outputs = {tensor.name for tensor in made.main.outputs if tensor.name}
    if any(tensor.name in outputs for tensor in tail.main.inputs):
        return {tensor: named[tensor.name] for tensor in tail.main.inputs if tensor.name in named}
    if len(tail.main.inputs) != len(made.main.outputs):
        raise GraphError(
            f"the first model has {len(made.main.outputs)} outputs, the second {len(tail.main.inputs)} inputs, and no "
            "names agree: say which takes which"
        )
    return dict(zip(tail.main.inputs, made.main.outputs, strict=True))


def _check_same(taker: Tensor, giver: Tensor) -> None:
    for what, wanted, found, remedy in (
        ("type", taker.dtype, giver.dtype, "io_type"),
        ("shape", taker.shape, giver.shape, "resize"),
        ("quantization", _scheme(taker), _scheme(giver), "io_type, of both to float32,"),
    ):
        if wanted != found:
            ends = f"input {taker.name!r} takes {what} {wanted}, {giver.name!r} has {found}"
            raise GraphError(f"{ends}; {remedy} can change it")


def _scheme(tensor: Tensor) -> str:
    q = tensor.quantization
    if q is None or tensor.dtype.is_float or (not q.scale.size and q.details is None):
        return "none"
    if q.details is not None:
        return repr(q.details)
    return f"scale {q.scale.tolist()} zero point {q.zero_point.tolist()}" + (f" along {q.axis}" if q.per_axis else "")


def _rename_apart(made: Model, tensors: list[Tensor]) -> None:
    taken = dict.fromkeys(tensor.name for s in made.subgraphs for tensor in s.tensors)
    for tensor in tensors:
        if tensor.name in taken and tensor.name:
            tensor.name = unused_name(tensor.name, taken)
        taken[tensor.name] = None


def _replace(node: Node, bound: Mapping[Tensor, Tensor]) -> None:
    node.inputs = [t if t is None else bound.get(t, t) for t in node.inputs]


def _tell_state_apart(made: Model, tail: Model) -> None:
    """Variables and tables of the second model that the first has by the same name get another."""
    for table, field in STATE_FIELDS.items():
        mine, theirs = ([getattr(n.options, field) for n in _of(model, table)] for model in (made, tail))
        names: dict[Any, Any] = {}
        for name in dict.fromkeys(theirs):
            taken = {*mine, *theirs, *names.values()}
            if name in mine:
                names[name] = max(taken) + 1 if isinstance(name, int) else unused_name(name or "", taken)
        for node in _of(tail, table):
            assert node.options is not None
            name = getattr(node.options, field)
            node.options = node.options.replace(**{field: names.get(name, name)})


def _of(model: Model, options: str) -> list[Node]:
    nodes = [node for subgraph in model.subgraphs for node in subgraph.nodes]
    return [node for node in nodes if node.options is not None and node.options.table == options]


def _join_metadata(made: Model, tail: Model) -> None:
    for model in (made, tail):
        drop_metadata(model, OF_ENDS + ADVICE)
    mine = dict(made.metadata)
    made.metadata += [(name, buffer) for name, buffer in tail.metadata if name not in mine]
    versions = [b for name, b in (*made.metadata, *tail.metadata) if name == MINIMUM_VERSION]
    highest = max(versions, key=_version, default=None)
    if highest is not None:
        made.metadata = [(name, highest if name == MINIMUM_VERSION else buffer) for name, buffer in made.metadata]


def _version(buffer: Buffer) -> list[int]:
    text = b"" if buffer.data is None else buffer.data[:16].tobytes()
    return [int(digits) for digits in re.findall(rb"\d+", text)]


def _sign(made: Model, tail: Model, bound: Mapping[Tensor, Tensor]) -> None:
    """One signature for the whole where one of the two had any; those of other subgraphs stay."""
    every = [*made.signatures, *tail.signatures]
    mine = [s for s in every if s.subgraph in (made.main, tail.main)]
    takes = [pair for s in mine for pair in s.inputs]
    gives = [(name, bound.get(tensor, tensor)) for s in reversed(mine) for name, tensor in s.outputs]
    ends = arguments(takes, made.main.inputs), arguments(gives, made.main.outputs)
    made.signatures = [Signature(s.key, made.main, *ends) for s in mine[:1]]
    for signature in every:
        if signature not in mine:
            signature.key = unused_name(signature.key, [s.key for s in made.signatures])
            made.signatures.append(signature)
