"""Moves scale, channel by channel, from what makes a value to what reads it. The model computes the same function."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pyquant.dtypes import FLOAT32
from pyquant.errors import RecipeError
from pyquant.graph import Model, Node, Subgraph, Tensor
from pyquant.ops import Call, Operator, find
from pyquant.quantize.recipe import Recipe
from pyquant.run.compile import compile

HOMOGENEOUS_ACTIVATIONS = (0, 1)  # NONE, RELU
SWEEPS = 20  # over all seams, as the scale that one moves changes what its neighbours should
SAMPLES = 24  # that tell how far values reach
SETTLED = 0.01  # the share by which factors differ from 1 when nothing is left to do
LEAST = 1e-4  # of the greatest channel, below which one is as good as empty, and stays as it is
ALIKE = 1e-5  # up to which two marks are one
X = "x"


class Part(NamedTuple):
    """A constant that a seam scales. channel: of the constant's shape, each element's channel; -1 where it has none."""

    tensor: Tensor
    channel: np.ndarray

    def reach(self, channels: int) -> np.ndarray:
        """The greatest magnitude by channel, (channels,)"""
        found, known = np.zeros(channels), self.channel >= 0
        assert self.tensor.data is not None
        np.maximum.at(found, self.channel[known], np.abs(self.tensor.data[known]))
        return found

    def scale(self, factors: np.ndarray) -> None:
        assert self.tensor.data is not None
        by_element = np.concatenate((factors, [1.0]))[self.channel]
        self.tensor.data = (self.tensor.data * by_element).astype(np.float32)


class Seam(NamedTuple):
    """A value whose channels may each have any scale, as long as makers are divided by it and readers multiplied.

    makers: what decides the scale first, and then constants that are added. methods: what the readers' rules ask for.
    """

    value: Tensor
    makers: Sequence[Part]
    readers: Sequence[Part]
    methods: frozenset[str]

    @property
    def channels(self) -> int:
        return self.value.shape[-1]


def cross_layer(made: np.ndarray, read: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Weights before and after reach as far as each other (Nagel 2019). All (channels,)."""
    return np.asarray(np.sqrt(made / read))


def migration(made: np.ndarray, read: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Values reach as far as the weights that they meet (SmoothQuant, Xiao 2022, with an alpha of a half)."""
    return np.asarray(np.sqrt(reach / read))


# factors(greatest weights of the makers, of the readers, greatest values) -> what values are divided by
EQUALIZATIONS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "cross_layer": cross_layer,
    "migration": migration,
}
BY_VALUES = ("migration",)  # those that need samples


def equalized(model: Model, recipe: Recipe, feeds: Sequence[Sequence[np.ndarray]] | None = None) -> Model:
    """A copy of a float model, in whose main subgraph channels are scaled as the rules of their readers ask for.

    feeds: arrays in input order, of some samples. Raises RecipeError where a method needs some and there are none.
    """
    wanted = {rule.equalization for rule in recipe.rules}
    if wanted <= {"none"}:
        return model
    if feeds is None and wanted.intersection(BY_VALUES):
        raise RecipeError(f"equalization by {', '.join(wanted.intersection(BY_VALUES))} needs samples: give data=")
    model = model.copy()
    found = list(seams(model.main, recipe))
    by_values = [seam.value for seam in found if seam.methods.intersection(BY_VALUES)]
    reach = _reach(model, by_values, some(feeds or (), SAMPLES))
    for _ in range(SWEEPS):
        most = max((_equalize(seam, reach.get(seam.value)) for seam in found), default=0.0)
        if most < SETTLED:
            break
    return model


def some(feeds: Sequence[Sequence[np.ndarray]], most: int) -> Sequence[Sequence[np.ndarray]]:
    """At most so many samples, spread over all."""
    return feeds[:: max(len(feeds) // most, 1)][:most]


def _equalize(seam: Seam, reach: np.ndarray | None) -> float:
    """Scale one seam, and its reach. -> how far the factors were from 1"""
    (method,) = seam.methods
    made, read = seam.makers[0].reach(seam.channels), np.zeros(seam.channels)
    for part in seam.readers:
        read = np.maximum(read, part.reach(seam.channels))
    reach = made if reach is None else reach
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = EQUALIZATIONS[method](made, read, reach)
    usable = np.logical_and.reduce([each > LEAST * each.max() for each in (made, read, reach)])
    if not usable.any():
        return 0.0
    factors = np.where(usable, factors / np.exp(np.log(factors[usable]).mean()), 1.0)  # all together say nothing
    for part in seam.makers[1:]:  # what is added alone decides how far some channels reach
        added = part.reach(seam.channels)
        factors = np.where(usable, np.maximum(factors, added / added.max()), 1.0) if added.any() else factors
    for part in seam.makers:
        part.scale(1 / factors)
    for part in seam.readers:
        part.scale(factors)
    if reach is not made:
        reach /= factors
    return float(np.abs(np.log(factors)).max())


def _reach(model: Model, values: Sequence[Tensor], feeds: Iterable[Sequence[np.ndarray]]) -> dict[Tensor, np.ndarray]:
    """The greatest magnitude in each channel of some values of the main subgraph."""
    found = {value: np.zeros(value.shape[-1]) for value in values}
    if not found:
        return found
    session = compile(model, keep=list(found)).session()
    for arrays in feeds:
        seen = session.run(*arrays)
        for value, most in found.items():
            np.maximum(most, np.abs(seen[value]).reshape(-1, most.size).max(axis=0), out=most)
    return found


def seams(subgraph: Subgraph, recipe: Recipe) -> Iterator[Seam]:
    """The values of a subgraph whose makers and readers all are, or lead to, constants that can take their scale."""
    readers: Readers = {}
    for node in subgraph.nodes:
        for i, tensor in enumerate(node.inputs):
            if tensor is not None:
                readers.setdefault(tensor, []).append((node, i))
    for node in subgraph.nodes:
        operator = find(node.op)
        if operator is not None and len(node.outputs) == 1 and node.outputs[0].shape:
            trace = _Trace(node.outputs[0], recipe, readers, {*subgraph.inputs, *subgraph.outputs})
            try:
                seam = trace.seam(Call(operator, node))
            except _Fixed:
                continue
            if len(seam.methods) == 1 and "none" not in seam.methods:
                yield seam


Readers = dict[Tensor, list[tuple[Node, int]]]


class _Fixed(Exception):
    """The scale of a value cannot change."""


class _Trace:
    """Follows the channels of a value, by marks in their place, through what moves them to what reads them."""

    def __init__(self, value: Tensor, recipe: Recipe, readers: Readers, ends: Collection[Tensor]) -> None:
        self.value, self.recipe, self.all_readers, self.ends = value, recipe, readers, ends
        channels = value.shape[-1]
        rng = np.random.default_rng(channels)  # by chance, so that no mixture of marks is one
        self.marks = 1 + (rng.permutation(channels) + rng.uniform(0.2, 0.8, channels)) / channels
        self.makers: list[Part] = []
        self.readers: list[Part] = []
        self.methods: set[str] = set()
        self.visited: set[Node] = set()

    def seam(self, call: Call) -> Seam:
        """Of what a node makes. Raises _Fixed where its scale must stay."""
        self._made_by(call)
        self._follow(self.value, np.broadcast_to(self.marks, self.value.shape))
        return Seam(self.value, self.makers, self.readers, frozenset(self.methods))

    def _made_by(self, call: Call) -> None:
        """The constants that give the value its scale. Raises _Fixed where there are none."""
        channels, contraction = np.arange(self.marks.size), call.operator.contraction
        if not _passes(call.node):
            raise _Fixed
        if contraction is None:
            constants = [
                t for _, name, t in _activations(call) if t.is_constant and (name,) in call.operator.homogeneous
            ]
            if len(constants) != 1 or constants[0].shape != channels.shape:
                raise _Fixed
            self.makers.append(Part(self._own(constants[0]), channels))
            return
        w, bias = self._own(call["w"]), call.get("b")
        rows = contraction.weights(call, np.zeros(w.shape, np.float32)).shape
        if rows[0] * rows[1] != channels.size:
            raise _Fixed
        of_row = np.broadcast_to(channels.reshape(rows[0], rows[1], 1), rows)
        self.makers.append(Part(w, contraction.restored(call, of_row)))
        if bias is not None:
            self.makers.append(Part(self._own(bias), channels))

    def _own(self, tensor: Tensor) -> Tensor:
        """A constant that nothing else reads."""
        if not tensor.is_constant or tensor.dtype is not FLOAT32 or len(self.all_readers[tensor]) != 1:
            raise _Fixed
        return tensor

    def _follow(self, value: Tensor, marked: np.ndarray) -> None:
        """Find what reads the value. marked: each element's mark, NaN or less than 1 for what is 0 in any scale."""
        if value in self.ends or value not in self.all_readers or value.dtype is not FLOAT32:
            raise _Fixed
        for node, i in self.all_readers[value]:
            operator = find(node.op)
            if operator is None or len(node.outputs) != 1 or node in self.visited:
                raise _Fixed
            self.visited.add(node)  # once, as twice would square the scale
            call, slot = Call(operator, node), operator.slots(node.inputs)[i].name
            if operator.contraction is not None and slot == X:
                self._read_by(call, marked)
                continue
            together = next((slots for slots in (*operator.homogeneous, *_moves(operator)) if slot in slots), ())
            if not together or not _passes(node):
                raise _Fixed
            added = [(j, tensor) for j, name, tensor in _activations(call) if j != i and name in together]
            for _, tensor in added:
                if tensor.shape != self.marks.shape:
                    raise _Fixed
                self.makers.append(Part(self._own(tensor), self._channels(marked)))
            self._follow(node.outputs[0], _moved(call, i, [j for j, _ in added], marked))

    def _read_by(self, call: Call, marked: np.ndarray) -> None:
        contraction, w = call.operator.contraction, self._own(call["w"])
        assert contraction is not None
        rows = contraction.rows(call, np.nan_to_num(marked))
        if rows is None:
            raise _Fixed
        channels = np.stack([self._channels(group)[None] for group in rows])
        shape = contraction.weights(call, np.zeros(w.shape, np.float32)).shape
        self.readers.append(Part(w, contraction.restored(call, np.broadcast_to(channels, shape))))
        rule = next(self.recipe.rules_for(call.node.op, call.node.outputs[0].name), None)
        self.methods.add("none" if rule is None else rule.equalization)

    def _channels(self, marked: np.ndarray) -> np.ndarray:
        """The channel behind each place of the last dimension, -1 for none. Raises _Fixed where there are several."""
        rows = marked.reshape(-1, marked.shape[-1])
        known = rows > 0
        low, high = np.where(known, rows, np.inf).min(axis=0), np.where(known, rows, -np.inf).max(axis=0)
        order = np.argsort(self.marks)
        found = order[np.clip(np.searchsorted(self.marks[order], low - ALIKE), 0, self.marks.size - 1)]
        seen = known.any(axis=0)
        if np.any(seen & ((high - low > ALIKE) | (np.abs(self.marks[found] - low) > ALIKE))):
            raise _Fixed
        return np.where(seen, found, -1)


def _moves(operator: Operator) -> list[tuple[str, ...]]:
    """The slot of an operator that only moves values: whose output has the scale of its one input."""
    inputs = [slot.name for slot in operator.inputs if slot.role == "activation"]
    shared = len(inputs) == 1 and not operator.inputs[0].variadic and operator.outputs[0].shares(inputs[0])
    return [tuple(inputs)] if shared else []


def _activations(call: Call) -> list[tuple[int, str, Tensor]]:
    """The inputs that hold values, with the names of their slots."""
    slots = call.operator.slots(call.node.inputs)
    return [
        (i, slot.name, tensor)
        for i, (slot, tensor) in enumerate(zip(slots, call.node.inputs, strict=True))
        if slot.role == "activation" and tensor is not None
    ]


def _passes(node: Node) -> bool:
    """Whether a factor passes through what is fused into a node."""
    fused = 0 if node.options is None else getattr(node.options, "fused_activation_function", 0)
    return fused in HOMOGENEOUS_ACTIVATIONS


def _moved(call: Call, i: int, added: Collection[int], marked: np.ndarray) -> np.ndarray:
    """Where the marks of input i are in the output: what the node makes of them, over what it makes of ones."""

    def operand(j: int, tensor: Tensor | None, array: np.ndarray) -> np.ndarray | None:
        if j == i or tensor is None:
            return None if tensor is None else array
        if j in added:
            return np.zeros(tensor.shape, np.float32)
        return np.ones(tensor.shape, np.float32) if tensor.data is None else tensor.data

    def run(array: np.ndarray) -> np.ndarray:
        arrays = [operand(j, tensor, array.astype(np.float32)) for j, tensor in enumerate(call.node.inputs)]
        result = call.operator.reference["float32"](call, *arrays)
        return result[0] if isinstance(result, tuple) else result

    known = marked > 0
    ones = run(known).astype(np.float64)
    return run(np.where(known, marked, 0)) / np.where(ones == 0, np.nan, ones)
