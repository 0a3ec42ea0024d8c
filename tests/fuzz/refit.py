"""A mutation that keeps to the shape rules, so that kernels run on sizes, options and scales that no file has."""

from __future__ import annotations

from random import Random

import numpy as np

from pyquant.errors import PyQuantError
from pyquant.graph import Model, Node, Quantization, Subgraph, Tensor, load
from pyquant.graph.convert import to_record
from pyquant.run.resolve import resolve
from pyquant.wire import encode
from pyquant.wire.layout import fields

SIZES = (0, 1, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 64, 65, 127, 128, 129, 200, 257, 1000, 5000)
OPTIONS = (-2, -1, 0, 1, 2, 3, 4, 5, 7, 8, 16, 100, 1000, 70000, 1 << 20, 2**31 - 1)
SCALES = (1e-45, 1e-30, 1e-9, 1e-4, 0.01, 0.5, 1.0, 3.7, 1e4, 1e9, 1e30, 3e38)


def refitted(data: bytes, rng: Random) -> bytes:
    """The file with sizes, options, scales or constants changed, and the shapes of its results inferred anew."""
    model = load(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        graph = rng.choice(model.subgraphs) if model.subgraphs else None
        if graph is not None and graph.nodes:
            rng.choice(CHANGES)(graph, rng.choice(graph.nodes), rng)
    for graph in model.subgraphs:
        for node in graph.nodes:
            _infer(node)
    return _bytes(model)


def _resize(graph: Subgraph, node: Node, rng: Random) -> None:
    """Another size of one dimension of an input of the graph, or of a weight, whose values are made anew."""
    tensor = _any([*graph.inputs, *(t for t in node.inputs if t is not None)], rng)
    if tensor is not None and tensor.shape:
        at = rng.randrange(len(tensor.shape))
        tensor.shape = (*tensor.shape[:at], rng.choice(SIZES), *tensor.shape[at + 1 :])
        tensor.shape_signature = None
        if tensor.is_constant and tensor.size < 1 << 16:
            _refill(tensor, rng)


def _restate(graph: Subgraph, node: Node, rng: Random) -> None:
    """Other options."""
    numbers = [] if node.options is None else [f for f in fields(node.options.table).values() if f.kind == "scalar"]
    if numbers and node.options is not None:
        field = rng.choice(numbers)
        value = rng.choice((*OPTIONS, float("nan"), 1e30) if field.format == "<f" else OPTIONS)
        node.options.fields[field.name] = bool(value) if field.format == "<?" else value % 128 if field.enum else value


def _rescale(graph: Subgraph, node: Node, rng: Random) -> None:
    """Another scale and zero point."""
    tensor = _any([t for t in (*node.inputs, *node.outputs) if t is not None], rng)
    if tensor is not None and tensor.is_quantized and tensor.dtype.lo is not None and tensor.dtype.hi is not None:
        zero_point = rng.choice((tensor.dtype.lo, 0, 1, tensor.dtype.hi))
        tensor.quantization = Quantization.of(rng.choice(SCALES), zero_point)


def _rewrite(graph: Subgraph, node: Node, rng: Random) -> None:
    """Other values of a small constant: sizes, paddings, axes."""
    constants = [t for t in node.inputs if t is not None and t.is_constant and 0 < t.size <= 16]
    if constants:
        tensor = rng.choice(constants)
        array = np.array(tensor.data)
        array.flat[rng.randrange(array.size)] = np.array(rng.choice((*OPTIONS, *SIZES))).astype(array.dtype)
        tensor.data = array


CHANGES = (_resize, _resize, _restate, _rescale, _rewrite)


def _any(tensors: list[Tensor], rng: Random) -> Tensor | None:
    return rng.choice(tensors) if tensors else None


def _refill(tensor: Tensor, rng: Random) -> None:
    bits = np.frombuffer(rng.randbytes(-(-tensor.size * tensor.dtype.bits // 8)), np.uint8)
    if tensor.buffer is not None:
        tensor.buffer.data = bits


def _infer(node: Node) -> None:
    """Shapes of the outputs by the operator's rule; those of a node that is not sound stay."""
    try:
        call = resolve(node, "tflite")
        shapes = call.operator.shape(call, *(None if t is None else t.shape for t in node.inputs))
    except PyQuantError:
        return
    for tensor, shape in zip(node.outputs, shapes, strict=False):
        if max(shape, default=0) < 1 << 31:
            tensor.shape, tensor.shape_signature = tuple(shape), None


def _bytes(model: Model) -> bytes:
    return b"".join(encode(to_record(model)))
