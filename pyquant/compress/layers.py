"""Operators whose weights are pruned, with what samples tell of their inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pyquant.calibrate import Moments, damped, probabilities, tallies
from pyquant.compress.compensate import STEPS, Gone, compensated
from pyquant.compress.values import encoded
from pyquant.compress.weights import Weight
from pyquant.errors import DataError
from pyquant.graph import Model, Node, Tensor
from pyquant.graph.real import real_values
from pyquant.ops import Call, get
from pyquant.ops.contraction import Contraction

DAMPINGS = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0)  # of the mean diagonal
SAMPLES = 100  # that tell, where there are so many: some inputs are rarely more than 0
LEAST = 1e-3  # of the mean power of outputs: what the quietest count as
TOWARDS = 1.0  # deviation of each input, by which it lies nearer to what makes an output great where that is great
TRYING = 8  # steps of the choice by which they are compared

Seen = Mapping[Node, Moments]


@dataclass(frozen=True)
class Layer:
    """tensor: the weight, with its real values. call: one of the operators that read it, which all take it in one way.

    matrix: (groups, K, K), how their inputs vary together. means: of the inputs, (groups, K), by the bias that goes
    with them. damping: by how much more each input is taken to vary than samples show, as a share of the mean.
    logits: the moments of inputs where what probabilities are made of comes out, else None.
    """

    tensor: Tensor
    call: Call
    contraction: Contraction
    values: np.ndarray
    matrix: np.ndarray
    means: Mapping[Tensor, np.ndarray]
    damping: float = DAMPINGS[0]
    logits: Moments | None = None

    def pruned(self, gone: Gone, steps: int = STEPS) -> np.ndarray:
        """The weight's real values, in its shape, 0 where `gone`, which sees its elements in that shape, says so."""

        def out(scores: np.ndarray, share: float) -> np.ndarray:
            return self._rows(gone(self.contraction.restored(self.call, scores * self.favour), share))

        rows = self._rows(self.values) / self.spread
        rows = compensated(rows, damped(self.matrix, self.damping), out, steps) * self.spread
        return self.contraction.restored(self.call, rows.astype(np.float32))

    def error(self, values: np.ndarray) -> float:
        """Of the sums that the weight makes with these values, as shares of the power of each output's, summed up.

        Whatever becomes of their means.
        """
        change = self._rows(values - self.values) / self.spread
        return float(np.sum((change @ self.matrix) * change))

    def store(self, values: np.ndarray) -> None:
        """Give the weight these values, and biases what keeps the means of their sums."""
        change = self._rows(values - self.values)
        self.tensor.data = encoded(self.tensor, values)
        for bias, means in self.means.items():
            shift = np.einsum("gok,gk->go", change, means).reshape(-1)
            bias.data = encoded(bias, real_values(bias) - shift)

    def suited(self, judge: Layer, gone: Gone) -> Layer:
        """With the damping by which what goes and stays does best by other samples."""
        tried = [replace(self, damping=damping) for damping in DAMPINGS]
        return min(tried, key=lambda layer: judge.error(layer.pruned(gone, TRYING)))

    @cached_property
    def spread(self) -> np.ndarray:
        """The standard deviation of each output's sums, (groups, outputs, 1).

        Gains of outputs say little of how much these matter: the operators that read them have gains of their own.
        """
        rows = self._rows(self.values).astype(np.float64)
        power = np.maximum(np.sum((rows @ self.matrix) * rows, axis=2, keepdims=True), 0)
        return np.asarray(np.sqrt(np.maximum(power, max(LEAST * power.mean(), 1e-30))))

    @cached_property
    def favour(self) -> np.ndarray | float:
        """By how much more weights matter than moments say, (groups, outputs, K): logits do where they are great.

        There inputs lie towards the signs of the weights: of inputs of at least 0, those of positive weights are great.
        """
        if self.logits is None:
            return 1.0
        mean = self.logits.means[:, None]
        power = np.maximum(np.diagonal(self.logits.products, axis1=1, axis2=2), 1e-30)[:, None]
        near = mean + TOWARDS * np.sqrt(power) * np.sign(self._rows(self.values))
        return np.asarray(np.sqrt((near * near + power) / (mean * mean + power)))

    def _rows(self, values: np.ndarray) -> np.ndarray:
        return self.contraction.weights(self.call, values)


def observed(model: Model, found: Iterable[Weight], feeds: Sequence[Sequence[np.ndarray]]) -> list[Seen]:
    """What weights of the main subgraph meet in all samples and, where there are two, in each half of them.

    feeds: arrays in input order. Raises DataError where they let a weight meet NaN or infinity.
    """
    main = set(model.main.nodes)
    nodes = [node for weight in found for node, _ in weight.uses if node in main]
    parts = [tallies(model, nodes, half, SAMPLES) for half in (feeds[::2], feeds[1::2]) if half]
    for part in parts:
        check_finite({node: tally.total for node, tally in part.items()})
    if len(parts) > 1:
        one, other = parts
        parts.insert(0, {node: tally.joined(other[node]) for node, tally in one.items()})
    return [{node: tally.moments for node, tally in part.items()} for part in parts]


def check_finite(met: Mapping[Node, np.ndarray]) -> None:
    """Raises DataError where what is known of what weights meet holds NaN or infinity."""
    for node, found in met.items():
        if not np.isfinite(found).all():
            name = Call(get(node.op), node)["x"].name
            raise DataError(f"data: samples make NaN or infinity of {name!r}, which {node.label} reads")


def layers(model: Model, found: Iterable[Weight], seen: Seen) -> dict[Weight, Layer]:
    """Those of the main subgraph whose inputs samples tell of. seen: what these are, one of `observed`."""
    known = {weight: calls for weight in found if (calls := _calls(weight))}
    readers: dict[Tensor, list[Node]] = {}
    for subgraph in model.subgraphs:
        for node in subgraph.nodes:
            for tensor in {t for t in node.inputs if t is not None}:
                readers.setdefault(tensor, []).append(node)
    made, logits = {}, set(probabilities(model).values())
    for weight, calls in known.items():
        if not all(call.node in seen for call in calls):
            continue
        contraction = calls[0].operator.contraction
        assert contraction is not None
        products, means = [], {}
        for call in calls:
            moment, bias = seen[call.node], call.get("b")
            if bias is not None and bias.is_constant and readers[bias] == [call.node]:
                means[bias] = moment.means
                products.append(moment.products)
            else:  # no bias of its own takes back what becomes of the means
                products.append(moment.about_zero)
        values, matrix = real_values(weight.tensor), sum(products[1:], products[0])
        fits = contraction.weights(calls[0], values).shape[2] == matrix.shape[1]
        if fits and np.isfinite(matrix).all() and np.isfinite(values).all():
            own = seen[calls[0].node] if calls[0]["y"] in logits else None
            made[weight] = Layer(weight.tensor, calls[0], contraction, values, matrix, means, logits=own)
    return made


def halves(
    model: Model, choices: Mapping[Weight, Gone], seen: Sequence[Seen]
) -> tuple[dict[Weight, Layer], dict[Weight, Layer]]:
    """As two sets of samples show them: one chooses and corrects, damped as suits the other, which tells what is left.

    Few samples let errors vanish that others have: an input that hardly varies in them is no input to do without.
    """
    chosen, judge = (layers(model, choices, half) for half in seen[1:])
    return {w: layer.suited(judge[w], choices[w]) for w, layer in chosen.items() if w in judge}, judge


def whole(model: Model, chosen: Mapping[Weight, Layer], seen: Sequence[Seen]) -> dict[Weight, Layer]:
    """As all samples show them, damped as a half of them is."""
    return {w: replace(layer, damping=chosen[w].damping) for w, layer in layers(model, chosen, seen[0]).items()}


def _calls(weight: Weight) -> list[Call]:
    """The operators that read it, where all let it meet their inputs in one way that is known; else none."""
    calls = [Call(get(node.op), node) for node, _ in weight.uses]
    read = {node.inputs[i] for node, i in weight.uses}  # the weight, or what a cast makes of it
    if any(call.operator.contraction is None for call in calls):
        return []
    ways = {(call.operator.contraction, call["x"].shape[-1:]) for call in calls}
    return calls if len(ways) == 1 and all(c["w"] in read and not c["x"].is_constant for c in calls) else []
