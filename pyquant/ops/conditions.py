"""Conditions on a node, as values: what the tables of op versions and of targets are written in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyquant.graph import Node, Tensor
from pyquant.wire.schema import ENUMS

Condition = Callable[[Node], bool]


def input_is(index: int, *types: str) -> Condition:
    """Input `index` is there, and of one of these types."""
    return lambda node: _is(_at(node.inputs, index), types)


def output_is(index: int, *types: str) -> Condition:
    return lambda node: _is(_at(node.outputs, index), types)


def input_quantized(index: int) -> Condition:
    """Input `index` has a scale."""
    return lambda node: (t := _at(node.inputs, index)) is not None and t.is_quantized


def input_per_axis(index: int) -> Condition:
    """Input `index` has several scales."""
    return lambda node: _is_per_axis(_at(node.inputs, index))


def input_of_size(index: int, axis: int, size: int) -> Condition:
    """Input `index` has so many elements along an axis."""
    return lambda node: (t := _at(node.inputs, index)) is not None and t.shape[axis : axis + 1] == (size,)


def input_of_equal_scales(index: int) -> Condition:
    """Input `index` has several scales, all of one value."""

    def holds(node: Node) -> bool:
        tensor = _at(node.inputs, index)
        if tensor is None or tensor.quantization is None or not tensor.quantization.per_axis:
            return False
        return bool((tensor.quantization.scale == tensor.quantization.scale[0]).all())

    return holds


def output_per_axis(index: int) -> Condition:
    return lambda node: _is_per_axis(_at(node.outputs, index))


def input_count(count: int) -> Condition:
    return lambda node: len(node.inputs) == count


def has_input(index: int) -> Condition:
    return lambda node: _at(node.inputs, index) is not None


def variable_input(index: int) -> Condition:
    """Input `index` is there, and not a constant."""
    return lambda node: (t := _at(node.inputs, index)) is not None and not t.is_constant


def option(name: str) -> Condition:
    """An option of the node is neither zero nor false."""
    return lambda node: bool(getattr(node.options, name, 0))


def negated(condition: Condition) -> Condition:
    return lambda node: not condition(node)


def rank_above(limit: int, index: int = 0) -> Condition:
    """Input `index` has more dimensions than this."""
    return lambda node: _rank(_at(node.inputs, index)) > limit


def rank_is(rank: int, index: int = 0) -> Condition:
    return lambda node: _rank(_at(node.inputs, index)) == rank


def broadcasts_above(limit: int) -> Condition:
    """The first two inputs have different shapes, and one has more dimensions than this."""
    return lambda node: (
        len({t.shape for t in node.inputs[:2] if t is not None}) > 1 and max(map(_rank, node.inputs)) > limit
    )


def grouped(node: Node) -> bool:
    """A convolution whose filter spans only a part of the input's channels."""
    x, w = (() if t is None else t.shape for t in (_at(node.inputs, 0), _at(node.inputs, 1)))
    return len(x) == len(w) == 4 and x[3] != w[3]


def dilated(node: Node) -> bool:
    return any(getattr(node.options, f"dilation_{side}_factor", 1) != 1 for side in "wh")


def product_at_least_output(node: Node) -> bool:
    """The product of the inputs' scales is at least the output's scale."""
    tensors = (_at(node.inputs, 0), _at(node.inputs, 1), _at(node.outputs, 0))
    scales = [t.quantization.scale[0] for t in tensors if t is not None and t.quantization and t.is_quantized]
    return len(scales) == 3 and bool(scales[2] != 0 and scales[0] * scales[1] / scales[2] >= 1)


def rescaled(node: Node) -> bool:
    """The first input and the output have different scales."""
    x, y = _at(node.inputs, 0), _at(node.outputs, 0)
    return x is not None and y is not None and x.quantization != y.quantization


def narrow_bias(node: Node) -> bool:
    """The options name a bias type for int16 activations other than int64."""
    return getattr(node.options, "quantized_bias_type", 0) not in (0, ENUMS["TensorType"][1]["INT64"])


def sparse_weights(node: Node) -> bool:
    return (w := _at(node.inputs, 1)) is not None and w.sparsity is not None


def _at(tensors: Sequence[Tensor | None], index: int) -> Tensor | None:
    return tensors[index] if index < len(tensors) else None


def _is(tensor: Tensor | None, types: tuple[str, ...]) -> bool:
    return tensor is not None and tensor.dtype.name in types


def _is_per_axis(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.quantization is not None and tensor.quantization.per_axis


def _rank(tensor: Tensor | None) -> int:
    return 0 if tensor is None else len(tensor.shape)
