"""Gives a model's inputs other shapes, and every value behind them the shape that follows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from numbers import Integral

from pyquant.errors import GraphError, OptionError, ShapeError, UnsupportedOp
from pyquant.graph import Model, Node, Subgraph, Tensor, check
from pyquant.graph.edit import remove_unused
from pyquant.ops import Operator
from pyquant.ops.operator import Shape
from pyquant.rewrite.links import operator_of, restate
from pyquant.run.feeds import input_names
from pyquant.run.resolve import check_size, resolve

# control flow: options table -> which of its subgraphs give the node's outputs; all take the last inputs of the node
BODIES = {
    "IfOptions": ("then_subgraph_index", "else_subgraph_index"),
    "WhileOptions": ("body_subgraph_index",),
    "CallOptions": ("subgraph",),
    "StableHLOCompositeOptions": ("decomposition_subgraph_index",),
}


def batch(model: Model, size: int) -> Model:
    """A copy of a model that takes and returns `size` samples at a time: the first dimension of inputs and outputs.

    Each sample gives what it gave before. Raises ShapeError, naming the operator, for a model that would mix samples,
    and otherwise as `resize`.

    >>> batch(pq.open("model.tflite"), 8).save("model_batch8.tflite")  # doctest: +SKIP
    """
    if not isinstance(size, Integral) or size < 1:
        raise OptionError(f"batch of {size}: expected a whole number, at least 1")
    inputs = [t for t in model.main.inputs if t.shape]
    found = {t.shape[0] for t in inputs}
    if len(found) != 1 or min(found) < 1:
        listed = ", ".join(f"{t.name!r} {t.shape}" for t in model.main.inputs) or "none"
        raise ShapeError(f"inputs {listed}: expected one number of samples as the first dimension of all")
    made = model.copy()
    shapes = {t: (size, *t.shape[1:]) for t in made.main.inputs if t.shape}
    return _resized(made, shapes, Fraction(size, found.pop()))


def resize(model: Model, shapes: Mapping[str, Sequence[int]]) -> Model:
    """A copy of a model whose inputs have other shapes of the same rank, by name (the tensor's, or in a signature).

    Shapes follow through the main subgraph by the operators' rules, and with them what nodes state about shapes, such
    as RESHAPE. An unknown dimension (-1 in a shape signature) stays unknown. Raises ShapeError where an operator cannot
    take a shape, UnsupportedOp for one whose rule pyquant does not know, and GraphError for a variable in the way.

    >>> resize(pq.open("model.tflite"), {"image": (1, 256, 256, 3)}).save("model_256.tflite")  # doctest: +SKIP
    """
    made = model.copy()
    names = input_names(made, made.main)
    for name, shape in shapes.items():
        if name not in names:
            raise OptionError(f"no input is {name!r}; the inputs are {', '.join(map(repr, names)) or 'none'}")
        whole = all(isinstance(n, Integral) and n > 0 for n in shape)
        if len(shape) != len(names[name].shape) or not whole:
            raise ShapeError(
                f"input {name!r}: found shape {tuple(shape)}, expected sizes in place of {names[name].shape}"
            )
    return _resized(made, {names[name]: tuple(map(int, shape)) for name, shape in shapes.items()}, None)


def _resized(made: Model, shapes: Mapping[Tensor, Shape], samples: Fraction | None) -> Model:
    _Change(made, made.main, samples).spread(shapes)
    remove_unused(made)
    return check(made)


class _Change:
    """A change of shapes on its way through one subgraph. samples: by what the first dimensions grow, if they count."""

    def __init__(self, model: Model, graph: Subgraph, samples: Fraction | None) -> None:
        self.model, self.graph, self.samples = model, graph, samples
        self.before = {tensor: tensor.shape for tensor in graph.tensors}

    def spread(self, shapes: Mapping[Tensor, Shape]) -> None:
        """Give the subgraph's inputs these shapes."""
        for tensor, shape in shapes.items():
            _set_shape(tensor, shape)
        for node in self.graph.nodes:
            changed = next((t for t in node.inputs if t is not None and self._was(t) != t.shape), None)
            if changed is not None:
                self._follow(node, changed)

    def _was(self, tensor: Tensor) -> Shape:
        return self.before.get(tensor, tensor.shape)

    def _follow(self, node: Node, changed: Tensor) -> None:
        """Give a node's outputs the shapes that follow from its inputs'."""
        variable = next((t for t in (*node.inputs, *node.outputs) if t is not None and t.is_variable), None)
        if variable is not None:
            kept = f"it keeps {variable.name!r} of shape {variable.shape} from run to run"
            raise GraphError(f"{node.label}: {kept}, and so {changed.name!r} cannot change its shape")
        operator = operator_of(node)
        if operator is not None and not operator.flow:
            shapes = self._by_rule(node, operator)
        elif node.subgraphs and node.options is not None and node.options.table in BODIES:
            shapes = self._through_bodies(node, BODIES[node.options.table])
        else:
            what = f"input {changed.name!r} changes from {self._was(changed)} to {changed.shape}"
            raise UnsupportedOp(f"{node.label}: {what}, and pyquant does not know what follows for its outputs")
        for tensor, shape in zip(node.outputs, shapes, strict=True):
            if self.samples is not None and not _has_more(tensor.shape, shape, self.samples):
                raise ShapeError(
                    f"{node.label}: shape {tensor.shape} of {tensor.name!r} becomes {shape}: it mixes samples"
                )
            _set_shape(tensor, shape)

    def _by_rule(self, node: Node, operator: Operator) -> list[Shape]:
        if operator.restate is not None:
            before = [None if t is None else self._was(t) for t in node.inputs]
            now = [None if t is None else t.shape for t in node.inputs]
            restate(self.graph, node, operator.restate(resolve(node, "tflite"), before, now, self.samples is not None))
        call = resolve(node, "tflite")
        return list(operator.shape(call, *(None if t is None else t.shape for t in node.inputs)))

    def _through_bodies(self, node: Node, results: Sequence[str]) -> list[Shape]:
        """What the subgraphs of a control flow operator return, once its last inputs have become theirs."""
        made = []
        for field, body in node.subgraphs.items():
            given = node.inputs[len(node.inputs) - len(body.inputs) :]
            shapes = {own: t.shape for own, t in zip(body.inputs, given, strict=True) if t is not None}
            if [t and self._was(t) for t in given] != [t.shape for t in body.inputs] or self._is_shared(body):
                raise UnsupportedOp(f"{node.label}: subgraph {body.name!r} has other callers, or takes other shapes")
            _Change(self.model, body, self.samples).spread(shapes)
            made += [[t.shape for t in body.outputs]] if field in results else []
            made += [[t.shape for t in body.inputs]] if "cond_subgraph_index" in node.subgraphs else []  # round a loop
        if not made or any(shapes != made[0] for shapes in made) or len(made[0]) != len(node.outputs):
            raise ShapeError(
                f"{node.label}: its subgraphs take and return {', '.join(map(str, made))}, expected the same"
            )
        return made[0]

    def _is_shared(self, body: Subgraph) -> bool:
        calls = [called for s in self.model.subgraphs for n in s.nodes for called in n.subgraphs.values()]
        return calls.count(body) > 1 or any(signature.subgraph is body for signature in self.model.signatures)


def _has_more(before: Shape, now: Shape, samples: Fraction) -> bool:
    """True if the first dimension alone has changed, by the factor; one of a single sample may be left out."""
    rest = now[1:] in (before[1:], before) or now == before[1:]
    return rest and math.prod(now) == math.prod(before) * samples


def _set_shape(tensor: Tensor, shape: Shape) -> None:
    """Raises RangeError for more elements than a tensor can have."""
    signature, tensor.shape = tensor.shape_signature, tuple(shape)
    check_size(tensor)
    if signature and len(signature) == len(shape):
        tensor.shape_signature = tuple(s if s < 0 else n for s, n in zip(signature, shape, strict=True))
    elif signature:
        tensor.shape_signature = None
