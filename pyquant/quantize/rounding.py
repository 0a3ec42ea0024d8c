"""Rounds weights so that what their operator makes of samples changes least, not each weight by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pyquant.calibrate import Products, column_by_column, damped, products
from pyquant.graph import Model, Node
from pyquant.graph.real import real_values
from pyquant.ops import Call, get
from pyquant.quantize.assignments import Assignments, Encoding
from pyquant.quantize.correct import W

PASSES = 2  # flips for each column, in the mean, at most


class Rounding:
    """Rounds the weights of one model, each way of storing them once."""

    def __init__(self, model: Model, feeds: Sequence[Sequence[np.ndarray]]) -> None:
        self.model, self.feeds = model, feeds
        self._products: Products = {}
        self._rounded: dict[tuple[Node, Encoding], np.ndarray] = {}

    def round_weights(self, made: Assignments) -> None:
        """Give nodes of the main subgraph, whose inputs are known, the weights that their rule's rounding chooses."""
        main = set(self.model.main.nodes)
        nodes = [node for node, rule in made.rules.items() if rule.rounding != "nearest" and node in main]
        missing = [node for node in nodes if node not in self._products]
        if missing:
            self._products |= dict.fromkeys(missing) | products(self.model, missing, self.feeds)
        for node in nodes:
            stored, matrix = made.consumed.get((node, W)), self._products[node]
            q = None if stored is None else stored.quantization
            if stored is None or q is None or q.details is not None or matrix is None:
                continue
            if (node, stored) not in self._rounded:
                self._rounded[node, stored] = _rounded(node, stored, matrix, made.rules[node].rounding)
            made.values[node, W] = self._rounded[node, stored]


def _rounded(node: Node, stored: Encoding, matrix: np.ndarray, rounding: str) -> np.ndarray:
    """The real values that the chosen integers stand for."""
    call, q = Call(get(node.op), node), stored.quantization
    contraction, values = call.operator.contraction, real_values(call["w"])
    assert contraction is not None and q is not None
    rows = contraction.weights(call, values)
    if rows.shape[2] != matrix.shape[1] or not np.isfinite(matrix).all():
        return values
    shape = [-1 if i == q.axis and q.per_axis else 1 for i in range(values.ndim)]
    scales = contraction.weights(call, np.broadcast_to(q.scale.reshape(shape), values.shape)).astype(np.float64)
    chosen = ROUNDINGS[rounding](rows / scales, matrix, stored.dtype.limits[1])
    return contraction.restored(call, (chosen * scales).astype(np.float32))


def gptq(rows: np.ndarray, matrix: np.ndarray, most: int) -> np.ndarray:
    """Each to the nearest, its error spread over the columns that are not rounded yet (GPTQ, Frantar 2022).

    rows: (groups, outputs, K) in steps of their scales. -> whole numbers in -most..most
    """
    return column_by_column(rows, matrix, lambda k, values, curvature: np.clip(np.rint(values), -most, most))


def adaround(rows: np.ndarray, matrix: np.ndarray, most: int) -> np.ndarray:
    """Up or down, whichever makes the squared error of the outputs least (AdaRound, Nagel 2020), by coordinate descent.

    As gptq, from whose result it goes on, a step of one weight of each output at a time.
    """
    groups, outputs, size = rows.shape
    of_row = np.repeat(np.arange(groups), outputs)
    result = gptq(rows, matrix, most)
    matrix = damped(matrix)
    slope = ((result - rows) @ matrix).reshape(-1, size)
    result = result.reshape(-1, size)
    diagonal = np.diagonal(matrix, axis1=1, axis2=2)[of_row]
    active = np.arange(len(result))  # the outputs that still get better
    for _ in range(PASSES * size):
        step = np.where(slope[active] > 0, -1.0, 1.0)  # the one that may take away error
        change = diagonal[active] - 2 * np.abs(slope[active])
        change[np.abs(result[active] + step) > most] = np.inf
        best = change.argmin(axis=1)
        every = np.arange(len(active))
        better = change[every, best] < -1e-9 * diagonal[active, best]
        active, best, step = active[better], best[better], step[every, best][better]
        if not active.size:
            break
        result[active, best] += step
        slope[active] += step[:, None] * matrix[of_row[active], best]
    return result.reshape(rows.shape)


# rounding(rows, matrix, most) -> whole numbers
ROUNDINGS: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {"gptq": gptq, "adaround": adaround}
