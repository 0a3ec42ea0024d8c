"""Changes the element types with which values enter and leave a model; what it computes inside stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from pyquant.dtypes import FLOAT32, INT8, INT16, UINT8, DType
from pyquant.errors import GraphError, OptionError
from pyquant.graph import Model, Node, Quantization, Subgraph, Tensor, check
from pyquant.graph.edit import remove_unused
from pyquant.ops.build import cast
from pyquant.rewrite.links import call_of, declare, readers, returned, substitute, writers

TYPES = {t.name: t for t in (FLOAT32, INT8, UINT8, INT16)}
Wanted = str | Mapping[str, str] | None


def io_type(model: Model, input_type: Wanted = None, output_type: Wanted = None) -> Model:
    """A copy of a quantized model whose inputs and outputs are float32, int8, uint8 or int16.

    input_type, output_type: a type for all that stand for real values, or types by name (of the tensor or in a
    signature); None changes nothing. Casts at the boundary go where what is inside has the wanted type, and come where
    it does not: from uint8 to int8 and back with the same scale, from 8 bits to int16 with the same scale and zero
    point 0 (a cast from int8 that tflite-runtime 2.14 does not have), from int16 to 8 bits with 256 times the scale.
    Signatures follow; only the main subgraph is looked at.
    Raises GraphError, naming the operator, where something computes on float32 right behind the boundary.

    >>> io_type(pq.open("model_int8.tflite"), "int8", "float32").save("model.tflite")  # doctest: +SKIP
    """
    made = model.copy()
    main = made.main
    inputs = [_input(made, tensor, to) for tensor, to in _selected(made, main.inputs, input_type, "input")]
    main.nodes[:0] = [node for nodes in inputs for node in nodes]
    for tensor, to in _selected(made, main.outputs, output_type, "output"):
        _output(made, tensor, to)
    remove_unused(made)
    return check(made)


def _selected(model: Model, ends: Sequence[Tensor], wanted: Wanted, what: str) -> list[tuple[Tensor, DType]]:
    """The inputs, or outputs, that have to change, each with its new type."""
    if isinstance(wanted, Mapping):
        names = _names(model, ends)
        missing = [name for name in wanted if name not in names]
        if missing:
            raise OptionError(f"no {what} is {missing[0]!r}; the {what}s are {', '.join(map(repr, names)) or 'none'}")
        chosen = {names[name]: _type(to, what) for name, to in wanted.items()}
    else:
        chosen = {} if wanted is None else {t: _type(wanted, what) for t in ends if _is_real(t)}
        if wanted is not None and not chosen:
            found = ", ".join(f"{t.name!r} of {t.dtype}" for t in ends) or "none"
            raise GraphError(f"{what}s: found {found}, expected one that is float32 or quantized")
    for tensor in chosen:
        if not _is_real(tensor):
            raise GraphError(f"{what} {tensor.name!r}: found {tensor.dtype} without a scale, expected a real value")
    return [(tensor, to) for tensor, to in chosen.items() if tensor.dtype is not to]


def _names(model: Model, ends: Sequence[Tensor]) -> dict[str, Tensor]:
    names = {t.name: t for t in ends}
    for signature in model.signatures:
        if signature.subgraph is model.main:
            names |= {name: t for name, t in (*signature.inputs, *signature.outputs) if t in ends}
    return names


def _type(name: str, what: str) -> DType:
    if name not in TYPES:
        raise OptionError(f"{what} type {name!r}: expected one of {', '.join(TYPES)}")
    return TYPES[name]


def _is_real(tensor: Tensor) -> bool:
    return tensor.dtype is FLOAT32 or _is_code(tensor)


def _is_code(tensor: Tensor) -> bool:
    """True for an integer type of ours with one scale, a positive number."""
    q = tensor.quantization
    one = tensor.dtype in TYPES.values() and q is not None and q.scale.size == q.zero_point.size == 1
    return one and bool(0 < tensor.scale < np.inf)


def _input(model: Model, tensor: Tensor, to: DType) -> list[Node]:
    """Let an input enter as another type. Returns the casts that do this."""
    if tensor in model.main.outputs:
        raise GraphError(f"input {tensor.name!r}: it is an output as well, expected a value that operators read")
    inner = _behind(model.main, tensor)
    end = _end(model, tensor, inner, to)
    return _casts(model, end, inner)


def _output(model: Model, tensor: Tensor, to: DType) -> None:
    """Let an output leave as another type."""
    inner = _before(model.main, tensor)
    end = _end(model, tensor, inner, to)
    model.main.nodes += _casts(model, inner, end)


def _behind(graph: Subgraph, tensor: Tensor) -> Tensor:
    """The codes that operators compute with: an input itself, or what casts make of it, which are taken out then."""
    nodes = readers(graph).get(tensor, [])
    obstacle = next((node for node in nodes if not _leads_inside(graph, node, tensor)), None)
    codes = [node.outputs[0] for node in nodes] if obstacle is None else []
    other = next((t for t in codes if (t.dtype, t.quantization) != (codes[0].dtype, codes[0].quantization)), None)
    if codes and other is None:
        substitute(graph, dict.fromkeys(codes, codes[0]))
        graph.nodes = [node for node in graph.nodes if node not in nodes]
        return _behind(graph, codes[0])
    if tensor.dtype is not FLOAT32:
        return tensor
    found = "no operator reads it" if obstacle is None else f"{obstacle.label} takes it in float32"
    if other is not None:
        found = f"it becomes {codes[0].name!r} and, in another form, {other.name!r}"
    raise GraphError(f"input {tensor.name!r}: {found}, expected QUANTIZE alone to read it")


def _before(graph: Subgraph, tensor: Tensor) -> Tensor:
    """The codes that operators compute: an output itself, or what a cast makes it of, which goes if nobody needs it."""
    node = writers(graph).get(tensor)
    source = node.inputs[0] if node is not None and node.inputs else None
    ends = [*graph.inputs, *graph.outputs, *(t for t in graph.tensors if t.is_constant)]
    if node is not None and source is not None and source not in ends and _recodes(node, tensor, source):
        if tensor not in readers(graph):
            graph.nodes.remove(node)
        return _before(graph, source)
    if tensor.dtype is not FLOAT32:
        return tensor
    found = "no operator makes it" if node is None else f"{node.label} makes it in float32"
    raise GraphError(f"output {tensor.name!r}: {found}, expected DEQUANTIZE of what is no input, output or constant")


def _leads_inside(graph: Subgraph, node: Node, tensor: Tensor) -> bool:
    """True for a cast of an input to codes that are no output."""
    return bool(node.outputs) and node.outputs[0] not in graph.outputs and _recodes(node, tensor, node.outputs[0])


def _recodes(node: Node, outer: Tensor, inner: Tensor) -> bool:
    """True for a cast between codes inside and, at the boundary, real values or other codes for the same values."""
    call = call_of(node)
    if call is None or not call.operator.cast or not _is_code(inner):
        return False
    return outer.dtype is FLOAT32 or (_is_code(outer) and outer.quantization == _quantization(inner, outer.dtype))


def _end(model: Model, tensor: Tensor, inner: Tensor, to: DType) -> Tensor:
    """What takes the place of an input or output: the codes inside, or a new tensor for them in another type."""
    name, end = tensor.name, inner
    if inner.dtype is not to:
        end = Tensor(name, inner.shape, to, quantization=_quantization(inner, to))
        end.shape_signature = inner.shape_signature
        model.main.tensors.append(end)
    for other in (tensor, inner):
        if other is not end and other.name == name:
            other.name = f"{name}_{other.dtype}"
    end.name = name
    returned(model, model.main, {tensor: end})
    return end


def _casts(model: Model, source: Tensor, target: Tensor) -> list[Node]:
    """From one form to another; between uint8 and int16 by way of int8, as runtimes have no other."""
    forms = [source, target] if source is not target else []
    if {t.dtype for t in forms} == {UINT8, INT16}:
        codes = source if source.dtype is UINT8 else target
        between = replace(codes, name=f"{codes.name}_int8", dtype=INT8, quantization=_quantization(codes, INT8))
        model.main.tensors.append(between)
        forms.insert(1, between)
    nodes = [cast(before, after) for before, after in pairwise(forms)]
    for node in nodes:
        declare(model, node)
    return nodes


def _quantization(inner: Tensor, to: DType) -> Quantization | None:
    """How codes stand in another type for what they stand for inside: exactly, but that 8 bits round those of int16."""
    if to is FLOAT32:
        return None
    if to is INT16:
        return Quantization.of(inner.scale)
    assert to.lo is not None
    if inner.dtype is INT16:
        return Quantization.of(inner.scale * np.float32(256), to.lo + 128)
    return Quantization.of(inner.scale, to.lo + inner.zero_point - int(inner.dtype.lo or 0))
