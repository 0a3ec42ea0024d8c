"""Other ways to compute what a node computes, bit for bit, for targets that do not take the node as it is.

A lowering takes a node and returns the nodes that replace it, or None where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pyquant.dtypes import FLOAT32, INT8, INT32
from pyquant.graph import Node, OpCode, Tensor
from pyquant.wire import Record

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
    shape = Tensor(f"{target.name}_shape", sizes.shape, INT32)
    shape.data = sizes
    return Node(OpCode("RESHAPE"), [source, shape], [target], Record("ReshapeOptions", new_shape=sizes))


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


LOWERINGS: dict[str, Lowering] = {"depthwise": as_depthwise, "int8": as_int8, "decomposition": as_decomposition}
BY_RULE = {"type": "int8", "version": "int8", "operator": "decomposition"}  # where a problem names none
