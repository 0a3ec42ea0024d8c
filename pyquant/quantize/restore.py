"""Undoes quantization: takes casts out of the way, and decides which nodes compute in float32 again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from pyquant.dtypes import BFLOAT16, FLOAT16, FLOAT32, INT32, INT64
from pyquant.graph import Model, Node, Quantization, Subgraph, Tensor
from pyquant.ops import Product, find, get
from pyquant.quantize.apply import apply
from pyquant.quantize.assignments import FLOAT, Assignments, Encoding, as_is
from pyquant.quantize.places import inputs_of, keeps_real, made_by, outputs_of
from pyquant.quantize.recipe import Recipe
from pyquant.quantize.variables import sharing
from pyquant.wire import Record

Choice = Callable[[Subgraph, Node], bool]
FLOAT_AGAIN = Recipe("float32", ())


def float_weights(model: Model) -> Model:
    """A model whose small weights under float activations, and small constants that are cast to float, are float32.

    The model itself where it has none of these.
    """
    if not any(is_small(tensor) for subgraph in model.subgraphs for tensor in subgraph.tensors):
        return model
    made = without_casts(model, FLOAT_AGAIN, _casts_constant)
    hybrid = [node for subgraph in made.model.subgraphs for node in subgraph.nodes if _is_hybrid(node)]
    for node in hybrid:
        restore(made, node)
    return apply(made) if made.consumed or made.results else model


def without_casts(model: Model, recipe: Recipe, chosen: Choice = lambda subgraph, cast: True) -> Assignments:
    """A copy of a model whose `chosen` casts are gone, with the assignments by which it still means the same.

    What read or returned a cast's result takes the cast's source, as the result was stored. Biases state the scale
    that kernels give them.
    """
    made = Assignments(model.copy(), recipe)
    for subgraph in made.model.subgraphs:
        _take_out(made, subgraph, [n for n in subgraph.nodes if _is_cast(n) and chosen(subgraph, n)])
        for node in subgraph.nodes:
            _state_bias_scale(made, subgraph, node)
    return made


def is_small(tensor: Tensor) -> bool:
    """True for quantized integers and constants of 16-bit floats: real values in fewer bits than float32."""
    if tensor.dtype in (FLOAT16, BFLOAT16):
        return tensor.is_constant
    q = tensor.quantization
    return tensor.dtype.is_quantized_integer and q is not None and (q.scale.size > 0 or q.details is not None)


def is_integer_computation(made: Assignments, node: Node) -> bool:
    """True where a known operator, no cast, computes on or from quantized values, and could do so in float32."""
    operator = find(node.op)
    if operator is None or operator.cast or not operator.ranged or "float32" not in operator.reference:
        return False
    if _without_scale(node):
        return False
    read = any(_wanted(made, node, i) != FLOAT for i, _, tensor in _values(node) if _is_real(tensor))
    return read or any(is_small(tensor) for slot, tensor in outputs_of(node, operator) if slot.quantizable)


def restorable(made: Assignments) -> list[Node]:
    """The nodes that compute in integers, and could do so in float32: of a variable all that read and assign it."""
    found = [n for s in made.model.subgraphs for n in s.nodes if is_integer_computation(made, n)]
    known, uses = set(found), sharing(made.model)
    return [node for node in found if node not in uses or (uses[node] and known.issuperset(uses[node]))]


def restore(made: Assignments, node: Node) -> None:
    """Decide that a node computes in float32."""
    operator = get(node.op)
    made.kinds[node] = "float32"
    node.intermediates = []
    for i, role, tensor in _values(node):
        if _is_real(tensor) or (role == "bias" and tensor.is_quantized):
            made.consumed[node, i] = FLOAT
            if role == "state":
                made.produced[tensor] = FLOAT
    for slot, tensor in outputs_of(node, operator):
        if slot.quantizable and is_small(tensor):
            made.produced[tensor] = FLOAT


def note_unknown(made: Assignments, subgraph: Subgraph) -> None:
    """Say which operators stay quantized because nobody here knows them, or what their inputs stand for."""
    for node in subgraph.nodes:
        if any(t is not None and is_small(t) for t in (*node.inputs, *node.outputs)):
            if find(node.op) is None:
                made.kept_float.append((node.label, "unknown operator"))
            elif tensor := _without_scale(node):
                made.kept_float.append((node.label, f"its input {tensor.name!r} is {tensor.dtype} without a scale"))


def state_activation(node: Node) -> None:
    """Fuse the activation that only the range of a node's output has realised: RELU6, or RELU for ranges beyond 6.

    Where kernels of integers compute one alone, whatever the node says, it is that.
    """
    operator = get(node.op)
    options = node.options or (Record(operator.options) if operator.options else None)
    if options is None or getattr(options, "fused_activation_function", None) != 0:
        return
    if len(operator.integer_activations) == 1:
        (only,) = operator.integer_activations
        node.options = options.replace(fused_activation_function=only)
        return
    for slot, tensor in outputs_of(node, operator):
        if slot.scale is None and _begins_at_zero(tensor):
            node.options = options.replace(fused_activation_function="RELU6" if _largest(tensor) <= 6 else "RELU")


def _without_scale(node: Node) -> Tensor | None:
    """An activation in few bits of which no scale says what it stands for."""
    values = (tensor for _, role, tensor in _values(node) if role == "activation")
    return next((t for t in values if t.dtype.is_quantized_integer and not is_small(t)), None)


def _is_real(tensor: Tensor) -> bool:
    return tensor.dtype is FLOAT32 or is_small(tensor)


def _is_cast(node: Node) -> bool:
    """True for a cast between forms of the same real value, int32 too."""
    operator = find(node.op)
    if operator is None or (len(node.inputs), len(node.outputs)) != (1, 1):
        return False
    widens = [t and t.dtype for t in (*node.inputs, *node.outputs)] == [BFLOAT16, FLOAT32]
    if not operator.cast and not widens:
        return False
    return all(t is not None and (_is_real(t) or t.is_quantized) for t in (*node.inputs, *node.outputs))


def _casts_constant(subgraph: Subgraph, node: Node) -> bool:
    source = node.inputs[0]
    return source is not None and source.is_constant and node.outputs[0].dtype is FLOAT32


def _is_hybrid(node: Node) -> bool:
    operator = find(node.op)
    if operator is None or not keeps_real(node, operator):
        return False
    return any(slot.role == "weight" and is_small(tensor) for _, slot, tensor in inputs_of(node, operator))


def _take_out(made: Assignments, subgraph: Subgraph, casts: list[Node]) -> None:
    source: dict[Tensor, Tensor] = {}
    removed = set(casts)
    for node in subgraph.nodes:
        for i, tensor in enumerate(node.inputs):
            if tensor in source:
                node.inputs[i] = source[tensor]
                if node not in removed:
                    made.consumed[node, i] = as_is(tensor)
        if node in removed:
            (taken,) = node.inputs
            assert taken is not None
            source[node.outputs[0]] = taken
            if taken.is_constant:
                taken.name = node.outputs[0].name
    subgraph.nodes = [node for node in subgraph.nodes if node not in removed]
    for tensor in subgraph.outputs:
        value = source.get(tensor, tensor)
        if value is not tensor:
            made.results[value] = as_is(tensor)
            if not value.is_constant and value not in (*subgraph.inputs, *subgraph.outputs):
                value.name = tensor.name
    subgraph.outputs = [source.get(tensor, tensor) for tensor in subgraph.outputs]
    for signature in made.model.signatures:
        if signature.subgraph is subgraph:
            signature.outputs = [(name, source.get(tensor, tensor)) for name, tensor in signature.outputs]


def _state_bias_scale(made: Assignments, subgraph: Subgraph, node: Node) -> None:
    """Give an integer bias the product of scales that the kernel takes it in, whatever the file says."""
    operator = find(node.op)
    if operator is None:
        return
    held = [(slot.name, t.quantization) for slot, t in made_by(node, operator)]
    held += [(slot.name, _wanted(made, node, i).quantization) for i, slot, _ in inputs_of(node, operator)]
    scales = {name: q.scale for name, q in held if q is not None}
    for i, slot, tensor in inputs_of(node, operator):
        if not isinstance(slot.scale, Product) or tensor.dtype not in (INT32, INT64) or not tensor.is_constant:
            continue
        scale = slot.scale.of(scales)
        if not scale.size:
            continue
        product = Quantization.of(scale)
        if tensor.quantization != product:
            stated = dataclasses.replace(tensor, quantization=product)
            subgraph.tensors.append(stated)
            node.inputs[i] = stated


def _begins_at_zero(tensor: Tensor) -> bool:
    return is_small(tensor) and tensor.zero_point == tensor.dtype.lo


def _largest(tensor: Tensor) -> float:
    """The greatest value below which all that a tensor stands for lies, to half a step."""
    assert tensor.dtype.lo is not None and tensor.dtype.hi is not None
    return float(tensor.scale) * (tensor.dtype.hi - tensor.dtype.lo - 0.5)


def _values(node: Node) -> Iterator[tuple[int, str, Tensor]]:
    """Index, role and tensor of the inputs that are no indices or shapes."""
    for i, slot, tensor in inputs_of(node, get(node.op)):
        if slot.quantizable:
            yield i, slot.role, tensor


def _wanted(made: Assignments, node: Node, i: int) -> Encoding:
    tensor = node.inputs[i]
    assert tensor is not None
    return made.consumed.get((node, i), as_is(tensor))
