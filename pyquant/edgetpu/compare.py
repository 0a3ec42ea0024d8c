"""Compares a compiled file with the model that it may have been made of: operators, boundary tensors, constants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyquant.edgetpu.executable import DeviceLayer
from pyquant.edgetpu.package import Container, is_compiled
from pyquant.edgetpu.parameters import constant_operands, is_decoded, operand_bytes
from pyquant.edgetpu.stored import Stored, find_stored
from pyquant.errors import GraphError
from pyquant.graph import Model, Node, Tensor
from pyquant.ops import find
from pyquant.wire import Record

# What the device adds to zero points of signed types, whose codes it takes as unsigned
SHIFTS = {"int8": 1 << 7, "int16": 1 << 15}


@dataclass(frozen=True, eq=False)
class Boundary:
    """A tensor that goes to the device or comes from it.

    difference: to the source's tensor of that name, or to what the executable says of it; "" where there is none.
    """

    tensor: Tensor
    output: bool
    difference: str


@dataclass(frozen=True, eq=False)
class LayerMatch:
    """A node of the source with weights, and whether the device has its weights, bias and multipliers, bit for bit."""

    stored: Stored
    weights: bool
    bias: bool
    multipliers: bool

    @property
    def node(self) -> Node:
        return self.stored.node

    @property
    def difference(self) -> str:
        """What of it differs; "" where nothing does."""
        if self.stored.found is None:
            return "the parameters have no layer of its shape there"
        same = {"weights": self.weights, "bias": self.bias, "multipliers": self.multipliers}
        return ", ".join(name for name, is_same in same.items() if not is_same)


@dataclass(frozen=True, eq=False)
class Comparison:
    """mapped, cpu: the source's nodes on the device, and those that stayed. differences: one line each.

    unknown: mapped nodes with constants that nobody has decoded, so that they are not compared.
    """

    mapped: tuple[Node, ...]
    cpu: tuple[Node, ...]
    boundary: tuple[Boundary, ...]
    layers: tuple[LayerMatch, ...]
    unknown: tuple[Node, ...]
    differences: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether nothing tells that the file was compiled from another model."""
        return not self.differences


def compare(compiled: Model, containers: Sequence[Container], source: Model) -> Comparison:
    """Compare with a source model.

    Not compared, as only instructions hold them: options of mapped operators, and what flows between these but for
    the scales that multipliers are made of.
    """
    together, lost = partners(compiled, source)
    stayed = set(together.values())
    mapped = [node for node in source.main.nodes if node not in stayed]
    boundary = tuple(_boundary(containers, source))
    layers = tuple(_match(stored) for stored in find_stored(mapped, containers))
    differences = [
        *(f"{node.label}: runs on the CPU; the source has no such operator" for node in lost),
        *(f"{node.label}: {what}" for node, other in together.items() if (what := _node_difference(node, other))),
        *(f"tensor {b.tensor.name!r}: {b.difference}" for b in boundary if b.difference),
        *_crossing(mapped, source, boundary),
        *(f"{layer.node.label}: {layer.difference}" for layer in layers if layer.difference),
        *(f"{node.label}: the constant {t.name!r}" for node, t in absent_operands(mapped, containers)),
    ]
    unknown = tuple(node for node in mapped if holds_more(node))
    return Comparison(tuple(mapped), tuple(together.values()), boundary, layers, unknown, tuple(differences))


def partners(compiled: Model, source: Model) -> tuple[dict[Node, Node], list[Node]]:
    """The nodes that stayed on the CPU with the source's, and those that the source does not have.

    Raises GraphError for a source that is compiled itself.
    """
    if any(map(is_compiled, source.main.nodes)):
        raise GraphError("the source is compiled for the Edge TPU itself, expected what the compiler was given")
    waiting: dict[Any, list[Node]] = {}
    for node in reversed(source.main.nodes):
        waiting.setdefault(_key(node), []).append(node)
    left = [node for node in compiled.main.nodes if not is_compiled(node)]
    found = {node: waiting[_key(node)].pop() for node in left if waiting.get(_key(node))}
    return found, [node for node in left if node not in found]


def _key(node: Node) -> Any:
    return node.op, tuple(t.name for t in node.outputs)


def _node_difference(node: Node, other: Node) -> str:
    if len(node.inputs) != len(other.inputs):
        return f"{len(node.inputs)} inputs, {len(other.inputs)} in the source"
    for mine, theirs in zip((*node.inputs, *node.outputs), (*other.inputs, *other.outputs), strict=True):
        if mine is None or theirs is None:
            if mine is not theirs:
                return "an input is left out"
        elif what := _tensor_difference(mine, theirs):
            return f"tensor {mine.name!r}: {what}"
    if not _same_options(node.options, other.options):
        return f"options {node.options}, in the source {other.options}"
    return "" if _same_bytes(node.custom_options, other.custom_options) else "custom options"


def _same_options(a: Record | None, b: Record | None) -> bool:
    """Left out means all defaults."""
    a, b = (a, b) if b is None else (b, a)
    return a == (b or (a and Record(a.table)))


def _same_bytes(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    return a is b if a is None or b is None else np.array_equal(a, b)


# What tensors of one name have in common
FACTS: dict[str, Callable[[Tensor], Any]] = {
    "name": lambda t: t.name,
    "shape": lambda t: t.shape,
    "type": lambda t: t.dtype.name,
    "scale": lambda t: [] if t.quantization is None else t.quantization.scale.tolist(),
    "zero point": lambda t: [] if t.quantization is None else t.quantization.zero_point.tolist(),
}


def _tensor_difference(mine: Tensor, theirs: Tensor) -> str:
    for name, fact in FACTS.items():
        if fact(mine) != fact(theirs):
            return f"{name} {fact(mine)}, in the source {fact(theirs)}"
    return "" if _same_bytes(mine.data, theirs.data) else "values"


def _boundary(containers: Sequence[Container], source: Model) -> Iterator[Boundary]:
    """The custom operators' inputs and outputs."""
    named: dict[str, list[Tensor]] = {}
    for tensor in source.main.tensors:
        named.setdefault(tensor.name, []).append(tensor)
    for container in containers:
        inputs = [(t, False) for t in container.node.inputs if t is not None]
        for tensor, output in (*inputs, *((t, True) for t in container.node.outputs)):
            found = [_tensor_difference(tensor, other) for other in named.get(tensor.name, [])]
            what = min(found, key=bool, default="the source has no such tensor")
            yield Boundary(tensor, output, what or _layer_difference(tensor, _layers(container, output)))


def _layers(container: Container, output: bool) -> dict[str, DeviceLayer]:
    sides = (e.outputs if output else e.inputs for e in container.executables)
    return {layer.name: layer for side in sides for layer in side}


def _layer_difference(tensor: Tensor, layers: dict[str, DeviceLayer]) -> str:
    """Between a tensor and what an executable says of it."""
    layer = layers.get(tensor.name)
    if layer is None:
        return "the executable has no such layer"
    size, expected = np.prod(layer.shape, dtype=np.int64) * layer.executions, tensor.size
    if size != expected:
        return f"the executable's layer has {size} elements, expected {expected}"
    if layer.dtype != tensor.dtype.name:
        return f"the executable's layer is {layer.dtype}, expected {tensor.dtype.name}"
    if not tensor.is_quantized:
        return ""
    numbers, wanted = (layer.scale, layer.zero_point), (float(tensor.scale), _unsigned(tensor))
    return "" if numbers == wanted else f"the executable's layer has scale and zero point {numbers}, expected {wanted}"


def _unsigned(tensor: Tensor) -> int:
    return tensor.zero_point + SHIFTS.get(tensor.dtype.name, 0)


def _crossing(mapped: Sequence[Node], source: Model, boundary: Sequence[Boundary]) -> Iterator[str]:
    """What the device would have to give to the rest of the source, and does not."""
    inside = set(mapped)
    made = {t for node in mapped for t in node.outputs}
    read = {t for node in source.main.nodes if node not in inside for t in node.inputs}
    given = {b.tensor.name for b in boundary if b.output}
    for tensor in source.main.tensors:
        if tensor in made and (tensor in read or tensor in source.main.outputs) and tensor.name not in given:
            yield f"tensor {tensor.name!r}: the source's CPU operators or caller read it, the device does not give it"


def _match(stored: Stored) -> LayerMatch:
    found, expected = stored.found, stored.expected
    if found is None:
        return LayerMatch(stored, False, False, False)
    return LayerMatch(
        stored,
        np.array_equal(found.weights, expected.weights),
        np.array_equal(found.bias, expected.bias),
        np.array_equal(found.multipliers, expected.multipliers),
    )


def absent_operands(mapped: Sequence[Node], containers: Sequence[Container]) -> Iterator[tuple[Node, Tensor]]:
    """Constant operands that no executable has, where their layout is known."""
    blobs = [e.parameters.tobytes() for container in containers for e in container.executables]
    for node in mapped:
        for operand in constant_operands(node):
            data = operand_bytes(operand)
            if data is not None and not any(data.tobytes() in blob for blob in blobs):
                yield node, operand


def holds_more(node: Node) -> bool:
    """Whether a node has constants that nobody has decoded."""
    operator = find(node.op)
    weighted = operator is not None and operator.weighted
    return any(operand_bytes(t) is None for t in constant_operands(node)) or (weighted and not is_decoded(node))
