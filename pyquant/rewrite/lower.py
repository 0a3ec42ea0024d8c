"""Other ways to compute what a node computes, for targets that do not take the node as it is.

A lowering takes a node and returns the nodes that replace it, or None where it does not apply. But for those in ROUNDED
the results are the same bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from pyquant.dtypes import FLOAT32, INT8, UINT8, DType, dtype
from pyquant.fixed import round_half_away
from pyquant.graph import Node, OpCode, Quantization, Tensor
from pyquant.graph.real import real_values
from pyquant.ops import OPERATORS
from pyquant.ops.reduce import reduced_axes
from pyquant.rewrite.links import call_of
from pyquant.targets.edgetpu import MEAN_LIMIT
from pyquant.wire import Record

TINY = float(np.finfo(np.float32).tiny) * 2**10  # of scales: what kernels divide by them stays finite
Lowering = Callable[[Node], "list[Node] | None"]


def as_depthwise(node: Node) -> list[Node] | None:
    """A product of float rows (n, I) with int8 weights (O, I) as a depthwise convolution of images (n, 1, I, 1).

    Each of the O filters is one row of weights. Both quantize a row or image at run time, asymmetrically, take an exact
    integer sum, and scale it by the same float32 product of the scales.
    """
    x, w, bias = (*node.inputs, None)[:3]
    options = node.options
    if x is None or w is None or options is None or not options.asymmetric_quantize_inputs:
        return None
    weights, quantization, rows = w.data, w.quantization, _rows(x)
    if weights is None or quantization is None or rows is None or options.fused_activation_function not in RELUS:
        return None
    (out, length), y = weights.shape, node.outputs[0]
    image = Tensor(f"{y.name}_image", (x.size // length, 1, length, 1), FLOAT32)
    product = Tensor(f"{y.name}_product", (x.size // length, 1, 1, out), FLOAT32)
    if rows < 0:
        image.shape_signature, product.shape_signature = (-1, *image.shape[1:]), (-1, *product.shape[1:])
    filters = Tensor(f"{w.name}_filters", (1, 1, length, out), w.dtype, None, replace(quantization, axis=3))
    filters.data = np.ascontiguousarray(weights.T).reshape(filters.shape)
    convolution = Record(
        "DepthwiseConv2DOptions",
        padding="VALID",
        stride_w=1,
        stride_h=1,
        depth_multiplier=out,
        fused_activation_function=options.fused_activation_function,
    )
    return [
        _reshape(x, image),
        Node(OpCode("DEPTHWISE_CONV_2D"), [image, filters, *([] if bias is None else [bias])], [product], convolution),
        _reshape(product, y),
    ]


RELUS = (0, 1, 2, 3)  # none, RELU, RELU_N1_TO_1, RELU6: the activations that a convolution can do


def _rows(x: Tensor) -> int | None:
    """0 for a known shape, -1 for one whose rows alone are unknown; None for more unknown sizes."""
    unknown = [i for i, n in enumerate(x.shape_signature or ()) if n == -1]
    return 0 if not unknown else -1 if unknown == [0] else None


def _reshape(source: Tensor, target: Tensor) -> Node:
    sizes = np.array(target.shape_signature or target.shape, np.int32)
    shape = _constant(f"{target.name}_shape", sizes)
    return Node(OpCode("RESHAPE"), [source, shape], [target], Record("ReshapeOptions", new_shape=sizes))


def as_reshape(node: Node) -> list[Node] | None:
    """The same elements, by the operator that may give them any shape."""
    call = call_of(node)
    return [_reshape(call["x"], call["y"])] if call is not None and call.operator.view else None


def as_int8(node: Node) -> list[Node] | None:
    """The same codes, of a constant in int4 or int2, one a byte."""
    narrow = [t for t in node.inputs if t is not None and t.is_constant and t.dtype.name in ("int4", "int2")]
    if not narrow or any(t.dtype.name in ("int4", "int2") for t in node.outputs):
        return None
    wide = {t: _widened(t) for t in narrow if t.quantization is None or t.quantization.details is None}
    if len(wide) < len(set(narrow)):
        return None
    node.inputs = [t if t is None else wide.get(t, t) for t in node.inputs]
    return [node]


def _widened(tensor: Tensor) -> Tensor:
    made = replace(tensor, dtype=INT8, buffer=None, extra=dict(tensor.extra))
    made.data = tensor.data
    return made


def as_decomposition(node: Node) -> list[Node] | None:
    """The nodes of the subgraph that defines a composite operator."""
    body = node.subgraphs.get("decomposition_subgraph_index")
    if body is None or len(body.inputs) != len(node.inputs) or len(body.outputs) != len(node.outputs):
        return None
    ends = [*body.inputs, *body.outputs]
    if len(set(ends)) < len(ends) or any(t.is_constant for t in ends):
        return None  # an output that is an input or a constant needs a copy
    twin: dict[Tensor, Tensor | None] = dict(zip(ends, [*node.inputs, *node.outputs], strict=True))
    for tensor in body.tensors:
        twin.setdefault(tensor, replace(tensor, name=f"{node.outputs[0].name}/{tensor.name}"))
    return [
        replace(
            inner,
            inputs=[None if t is None else twin[t] for t in inner.inputs],
            outputs=[t for o in inner.outputs if (t := twin[o]) is not None],
            intermediates=[t for o in inner.intermediates if (t := twin[o]) is not None],
        )
        for inner in body.nodes
    ]


def with_own_activation(node: Node) -> list[Node] | None:
    """The activation as a node of its own. Where scales do not change, integers are cut off at the same codes."""
    call = call_of(node)
    code = 0 if call is None else call.options.fused_activation_function
    activation = next((operator for operator in OPERATORS.values() if code and operator.activation == code), None)
    if call is None or activation is None:
        return None
    y = call["y"]
    linear = replace(y, name=f"{y.name}_linear")
    plain = replace(node, outputs=[linear], options=call.options.replace(fused_activation_function=0))
    return [plain, Node(OpCode(activation.name), [linear], [y])]


def as_prelu(node: Node) -> list[Node] | None:
    """One slope below zero as one for each channel: of floats the same, of codes with another rounding."""
    call = call_of(node)
    if call is None or call["x"].dtype not in (FLOAT32, INT8, UINT8) or not call["x"].shape:
        return None
    x, y = call["x"], call["y"]
    slopes = _number(f"{y.name}_slope", call.options.alpha, x.dtype, x.shape[-1:])
    return [Node(OpCode("PRELU"), [x, slopes], [y])]


def as_hard_sigmoid(node: Node) -> list[Node] | None:
    """x * (relu6(x + 3) * (1 / 6)): what lies between is of 0 to 6 and of 0 to 1, which codes stand for well."""
    call = call_of(node)
    if call is None or call["x"].dtype not in (FLOAT32, INT8, UINT8):
        return None
    x, y = call["x"], call["y"]
    three, sixth = (_number(f"{y.name}_{name}", v, x.dtype) for name, v in (("three", 3), ("sixth", 1 / 6)))
    shifted, gate = (
        replace(y, name=f"{y.name}_{name}", quantization=_up_to(most, x.dtype))
        for name, most in (("shifted", 6.0), ("gate", 1.0))
    )
    return [
        Node(OpCode("ADD"), [x, three], [shifted], Record("AddOptions", fused_activation_function="RELU6")),
        Node(OpCode("MUL"), [shifted, sixth], [gate], Record("MulOptions")),
        Node(OpCode("MUL"), [x, gate], [y], Record("MulOptions")),
    ]


def _up_to(most: float, kind: DType) -> Quantization | None:
    """How codes stand for 0 to a number; None for floats."""
    return None if kind.lo is None or kind.hi is None else Quantization.of(most / (kind.hi - kind.lo), kind.lo)


def _number(name: str, value: float, kind: DType, shape: tuple[int, ...] = ()) -> Tensor:
    """A constant that holds one number throughout: a float32, or codes that stand for no other."""
    if kind.lo is None or kind.hi is None:
        return _constant(name, np.full(shape, value, np.float32))
    middle = (kind.lo + kind.hi + 1) // 2
    made = Tensor(name, shape, kind, quantization=Quantization.of(max(abs(value), TINY) / 64, middle))
    made.data = np.full(shape, middle + 64 * np.sign(value), kind.numpy)
    return made


def in_parts(node: Node) -> list[Node] | None:
    """A mean over many positions as the mean of means over equal parts, which have the scale of what they are of."""
    call = call_of(node)
    if call is None or call.constant("axes") is None:
        return None
    x, y = call["x"], call["y"]
    reduced = reduced_axes(call, len(x.shape))
    sides = [axis for axis in reduced if axis != len(x.shape) - 1]
    positions = math.prod(x.shape[axis] for axis in sides)
    axis = max(sides, key=lambda axis: x.shape[axis], default=0)
    counts = (n for n in range(2, x.shape[axis] + 1) if x.shape[axis] % n == 0 and positions <= n * MEAN_LIMIT)
    count = next(counts, None)
    if count is None:
        return None

    def between(name: str, shape: Sequence[int], along: int) -> Tensor:
        shape = (*shape[:axis], along, *shape[axis + 1 :])
        return replace(x, name=f"{y.name}_{name}", shape=shape, shape_signature=None, buffer=None)

    alone = [1 if i in reduced else n for i, n in enumerate(x.shape)]
    parts = [between(f"part{i}", x.shape, x.shape[axis] // count) for i in range(count)]
    means = [between(f"mean{i}", alone, 1) for i in range(count)]
    joined = between("means", alone, count)
    named, options = node.inputs[1], call.options.replace(keep_dims=True)
    place = _constant(f"{y.name}_axis", np.int32(axis))
    return [
        Node(OpCode("SPLIT"), [place, x], list(parts), Record("SplitOptions", num_splits=count)),
        *(replace(node, inputs=[p, named], outputs=[m], options=options) for p, m in zip(parts, means, strict=True)),
        Node(OpCode("CONCATENATION"), list(means), [joined], Record("ConcatenationOptions", axis=axis)),
        replace(node, inputs=[joined, named]),
    ]


def with_one_scale(node: Node) -> list[Node] | None:
    """Integer weights of one scale for all outputs, where only newer kernels take one for each; rounded anew."""
    call = call_of(node)
    newer = () if call is None else [s for s in call.operator.inputs if s.newer_axis is not None]
    w = next((t for slot in newer if call is not None and (t := call.get(slot.name)) is not None), None)
    if call is None or w is None or w.dtype is not INT8 or w.quantization is None or not w.quantization.per_axis:
        return None
    values, x, b = real_values(w), call["x"], call.get("b")
    bias = None if b is None else b.data
    if not x.dtype.is_quantized_integer or (b is not None and bias is None) or not np.isfinite(values).all():
        return None
    scale = np.float32(max(np.abs(values).max(), TINY) / 127)
    made = {w: replace(w, quantization=Quantization.of(scale), extra=dict(w.extra))}
    made[w].data = round_half_away(values / np.float64(scale)).astype(np.int8)
    if b is not None and bias is not None:
        product = Quantization.of(x.scale * scale)
        made[b] = replace(b, quantization=product, extra=dict(b.extra))
        sums = bias * (np.float64(x.scale) * w.quantization.scale.astype(np.float64))
        made[b].data = round_half_away(sums / np.float64(product.scale[0])).astype(bias.dtype)
    node.inputs = [t if t is None else made.get(t, t) for t in node.inputs]
    return [node]


def _constant(name: str, value: np.ndarray | np.generic) -> Tensor:
    array = np.asarray(value)
    made = Tensor(name, array.shape, dtype(array.dtype))
    made.data = array
    return made


LOWERINGS: dict[str, Lowering] = {
    "depthwise": as_depthwise,
    "reshape": as_reshape,
    "int8": as_int8,
    "decomposition": as_decomposition,
    "activation": with_own_activation,
    "prelu": as_prelu,
    "rounded_prelu": as_prelu,
    "hard_sigmoid": as_hard_sigmoid,
    "parts": in_parts,
    "one_scale": with_one_scale,
}
ROUNDED = ("rounded_prelu", "hard_sigmoid", "parts", "one_scale")
BY_RULE = {"type": "int8", "version": "int8", "operator": "decomposition"}  # where a problem names none
