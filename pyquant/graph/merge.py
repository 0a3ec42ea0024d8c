"""Chains two models: what one computes is what the other takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyquant.errors import GraphError
from pyquant.graph.check import check
from pyquant.graph.cut import signature_of, unused_name
from pyquant.graph.edit import ENDS_METADATA, drop_description_of_ends
from pyquant.graph.find import Which, find
from pyquant.graph.model import Model, Node, Tensor
from pyquant.graph.strip import dedupe


def merge(first: Model, second: Model, binding: Mapping[Any, Which] | None = None) -> Model:
    """One model that runs `first`, then `second` on its outputs.

    binding: input of `second` -> output, input or other computed tensor of `first`. Without it, an input of `second`
    takes what has its name among the outputs and inputs of `first`; where no name agrees, inputs take the outputs in
    order. An input that takes nothing becomes one of the whole model. Outputs are those of `second`, then those of
    `first` that `second` does not take. Metadata of `second` is added where `first` has none of that name.
    Raises GraphError where types, shapes or quantization of two ends differ.
    """
    made, tail = first.copy(), second.copy()
    bound = _bound(made, tail, binding)
    for taker, giver in bound.items():
        _check_same(taker, giver)
    _rename_apart(made, [t for s in tail.subgraphs for t in s.tensors if t not in bound])
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
    made.buffers += tail.buffers[1:]
    drop_description_of_ends(made)
    taken = {name for name, _ in made.metadata} | {ENDS_METADATA}
    made.metadata += [(name, buffer) for name, buffer in tail.metadata if name not in taken]
    _sign(made, tail)
    return check(dedupe(made))


def _bound(made: Model, tail: Model, binding: Mapping[Any, Which] | None) -> dict[Tensor, Tensor]:
    """Input of the second model -> tensor of the first."""
    if binding is not None:
        takers, givers = find(tail, tail.main, binding), find(made, made.main, binding.values())
        for taker in takers:
            if taker not in tail.main.inputs:
                raise GraphError(f"tensor {taker.name!r} is not an input of the second model")
        return dict(zip(takers, givers, strict=True))
    named = {tensor.name: tensor for tensor in (*made.main.inputs, *made.main.outputs)}
    outputs = {tensor.name for tensor in made.main.outputs}
    if any(tensor.name in outputs for tensor in tail.main.inputs):
        return {tensor: named[tensor.name] for tensor in tail.main.inputs if tensor.name in named}
    if len(tail.main.inputs) != len(made.main.outputs):
        raise GraphError(
            f"the first model has {len(made.main.outputs)} outputs, the second {len(tail.main.inputs)} inputs, and no "
            "names agree: say which takes which"
        )
    return dict(zip(tail.main.inputs, made.main.outputs, strict=True))


def _check_same(taker: Tensor, giver: Tensor) -> None:
    for what, wanted, found in (
        ("type", taker.dtype, giver.dtype),
        ("shape", taker.shape, giver.shape),
        ("quantization", _scales(taker), _scales(giver)),
    ):
        if wanted != found:
            remedy = "; resize can change it" if what == "shape" else "; io_type can change it"
            raise GraphError(f"input {taker.name!r} takes {what} {wanted}, {giver.name!r} has {found}{remedy}")


def _scales(tensor: Tensor) -> tuple[list[float], list[int]] | None:
    q = tensor.quantization
    return (q.scale.tolist(), q.zero_point.tolist()) if q is not None and q.scale.size else None


def _rename_apart(made: Model, tensors: list[Tensor]) -> None:
    taken = dict.fromkeys(tensor.name for s in made.subgraphs for tensor in s.tensors)
    for tensor in tensors:
        if tensor.name in taken and tensor.name:
            tensor.name = unused_name(tensor.name, taken)
        taken[tensor.name] = None


def _replace(node: Node, bound: Mapping[Tensor, Tensor]) -> None:
    node.inputs = [t if t is None else bound.get(t, t) for t in node.inputs]


def _sign(made: Model, tail: Model) -> None:
    """A new signature for the whole where one of the two had any; those of other subgraphs stay."""
    mine = [s for s in (*made.signatures, *tail.signatures) if s.subgraph in (made.main, tail.main)]
    others = [s for s in (*made.signatures, *tail.signatures) if s not in mine]
    made.signatures = [signature_of(made.main, mine[0].key)] if mine else []
    for signature in others:
        signature.key = unused_name(signature.key, [s.key for s in made.signatures])
        made.signatures.append(signature)
