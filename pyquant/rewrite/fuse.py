"""Lets operators do what nodes before and after them do: activations, and the padding of images with zeros."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyquant.errors import PyQuantError
from pyquant.fixed import ACTIVATION_BOUNDS, activation_range
from pyquant.graph import Model, Node, Subgraph, Tensor, check
from pyquant.graph.edit import remove_unused
from pyquant.rewrite.links import call_of, declare, drop_unread, readers, stored_alike, writers
from pyquant.wire import Record

Readers = Mapping[Tensor, Sequence[Node]]
Bounds = tuple[float | None, float | None]


def fuse(model: Model) -> Model:
    """A copy of a model with fewer nodes; every output stays as it was, bit for bit.

    RELU, RELU_N1_TO_1 and RELU6 go into the operator before them, where nobody else reads its output and, in integers,
    scale and zero point are the same on both sides. PAD goes into the convolution, or the maximum pooling of codes
    that begin at zero, behind it, where padding SAME puts as many zeros in front. TANH stays: no kernel fuses it.
    One exception: the RELU6 of tflite-runtime's reference kernels makes 0 of NaN, and a fused one leaves it.

    >>> fuse(pq.open("model.tflite")).save("model_fused.tflite")  # doctest: +SKIP
    """
    made = model.copy()
    for subgraph in made.subgraphs:
        writer, read = writers(subgraph), readers(subgraph)
        for node in subgraph.nodes:
            _fuse_padding(made, node, writer)
        subgraph.nodes = [n for n in subgraph.nodes if not _fuse_activation(made, n, subgraph, writer, read)]
        drop_unread(subgraph)
    remove_unused(made)
    return check(made)


def _fuse_padding(model: Model, node: Node, writer: Mapping[Tensor, Node]) -> None:
    """Let a node read what is padded for it, and pad that itself."""
    call = call_of(node)
    if call is None or call.operator.without_zeros is None or call["x"] not in writer:
        return
    pad = call_of(writer[call["x"]])
    if pad is None or pad.operator.zeros is None or not stored_alike(pad["x"], call["x"]):
        return
    image = pad["x"]
    if -1 in (image.shape_signature or ())[1:]:
        return
    try:
        options = call.operator.without_zeros(call, image.shape, pad.operator.zeros(pad))
    except PyQuantError:  # shapes that do not fit: left to who runs it
        return
    if options is not None:
        node.options, node.inputs = options, [image, *node.inputs[1:]]
        declare(model, node)


def _fuse_activation(model: Model, node: Node, graph: Subgraph, writer: dict[Tensor, Node], read: Readers) -> bool:
    """Let the node that writes an activation's input write its output. Whether it now does."""
    call = call_of(node)
    if call is None or call.operator.activation is None or call["x"] not in writer:
        return False
    x, y, before = call["x"], call["y"], writer[call["x"]]
    if x in graph.outputs or len(read[x]) > 1 or x.is_variable or not stored_alike(x, y) or x.shape != y.shape:
        return False
    options = _with_activation(before, call.operator.activation)
    if options is None:
        return False
    before.options, before.outputs, writer[y] = options, [y], before
    declare(model, before)
    return True


def _with_activation(node: Node, activation: int) -> Record | None:
    """The options with which a node fuses one more activation; None where it cannot."""
    call = call_of(node)
    both = None
    if call is not None and activation in call.operator.fuses:
        both = _combined(call.options.fused_activation_function, activation)
    if call is None or both is None:
        return None
    y = call["y"]
    try:
        if not y.dtype.is_float:
            activation_range(both, y.scale, y.zero_point, y.dtype)
    except PyQuantError:  # a bound past int32, which an activation takes and a fused one does not
        return None
    return call.options.replace(fused_activation_function=both)


def _combined(first: int, second: int) -> int | None:
    """The one activation that clamps as two do, one after the other."""
    if first == 0:
        return second
    if first not in ACTIVATION_BOUNDS:
        return None
    wanted = _within(ACTIVATION_BOUNDS[first], ACTIVATION_BOUNDS[second])
    return next((code for code, bounds in ACTIVATION_BOUNDS.items() if _within(bounds) == wanted), None)


def _within(*bounds: Bounds) -> Bounds:
    """The range that lies within all of these."""
    lows = [low for low, _ in bounds if low is not None]
    highs = [high for _, high in bounds if high is not None]
    return max(lows, default=None), min(highs, default=None)
