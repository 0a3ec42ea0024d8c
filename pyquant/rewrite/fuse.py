"""Lets operators do what nodes before and after them do: activations, and the padding of images with zeros."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyquant.errors import PyQuantError
from pyquant.fixed import ACTIVATION_BOUNDS, activation_range
from pyquant.graph import Model, Node, Subgraph, Tensor, check
from pyquant.graph.edit import remove_unused
from pyquant.ops import Call
from pyquant.rewrite.links import declare, drop_unread, known, readers, stored_alike, writers
from pyquant.wire import Record

Readers = Mapping[Tensor, Sequence[Node]]
Bounds = tuple[float | None, float | None]


def fuse(model: Model) -> Model:
    """A copy of a model with fewer nodes; every output stays as it was, bit for bit.

    RELU, RELU_N1_TO_1 and RELU6 go into the operator before them, where nobody else reads its output and, in integers,
    scale and zero point are the same on both sides. PAD goes into the convolution, or the maximum pooling of codes
    that begin at zero, behind it, where padding SAME puts as many zeros in front. TANH stays: no kernel fuses it.

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
    operator, x = known(node), node.inputs[0] if node.inputs else None
    before = writer.get(x) if x is not None else None
    pad = None if before is None else known(before)
    if operator is None or operator.without_zeros is None or before is None or pad is None or pad.zeros is None:
        return
    image = before.inputs[0]
    if x is None or image is None or not stored_alike(image, x) or -1 in (image.shape_signature or ())[1:]:
        return
    try:
        options = operator.without_zeros(Call(operator, node), image.shape, pad.zeros(Call(pad, before)))
    except PyQuantError:  # shapes that do not fit: left to who runs it
        return
    if options is not None:
        node.options, node.inputs = options, [image, *node.inputs[1:]]
        declare(model, node)


def _fuse_activation(model: Model, node: Node, graph: Subgraph, writer: dict[Tensor, Node], read: Readers) -> bool:
    """Let the node that writes an activation's input write its output. Whether it now does."""
    operator = known(node)
    if operator is None or operator.activation is None or len(node.inputs) != 1 or len(node.outputs) != 1:
        return False
    (x,), (y,) = node.inputs, node.outputs
    before = None if x is None else writer.get(x)
    if x is None or before is None or x in graph.outputs or len(read[x]) > 1 or x.is_variable:
        return False
    options = _with_activation(before, operator.activation, y)
    if options is None or not stored_alike(x, y) or x.shape != y.shape:
        return False
    before.options, before.outputs, writer[y] = options, [y], before
    declare(model, before)
    return True


def _with_activation(node: Node, activation: int, y: Tensor) -> Record | None:
    """The options with which a node fuses one more activation; None where it cannot."""
    operator = known(node)
    if operator is None or activation not in operator.fuses or len(node.outputs) != 1:
        return None
    options = Call(operator, node).options
    both = _combined(options.fused_activation_function, activation)
    if both is None:
        return None
    if y.dtype.is_quantized_integer:
        try:
            activation_range(both, y.scale, y.zero_point, y.dtype)
        except PyQuantError:  # a bound past int32, which an activation takes and a fused one does not
            return None
    return options.replace(fused_activation_function=both)


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
