"""How the inputs of operators with weights vary together, which tells what a change of the weights does to outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pyquant.graph import Model, Node, Tensor
from pyquant.graph.real import real
from pyquant.ops import Call, get
from pyquant.run.compile import compile

DAMPING = 0.01  # of the mean diagonal, which keeps matrices regular
ROWS = 8  # for each weight of an output, after which no more samples are looked at
SAMPLES = 24  # at least, unless a caller asks for more

# How a node's inputs vary together: (groups, K, K), over the rows that meet the K weights of an output. Depthwise
# convolutions have a group for each channel, others one. Means do not count, as biases correct what becomes of them.
Products = dict[Node, "np.ndarray | None"]


class Moments(NamedTuple):
    """Of the rows that meet the K weights of an output.

    means: (groups, K). products: (groups, K, K), as above, about `centre`, the means where loud samples count no more.
    """

    means: np.ndarray
    products: np.ndarray
    centre: np.ndarray

    @property
    def about_zero(self) -> np.ndarray:
        """The products where no bias takes up what becomes of the means."""
        return np.asarray(self.products + self.centre[:, :, None] * self.centre[:, None])


class Tally(NamedTuple):
    """Sums over rows.

    squares, rows, weight: of their products, (groups, K, K), of themselves, (groups, K), and of what they count, where
    loud samples count no more than others. total, number: of themselves, (groups, K), and of ones, where all are alike.
    """

    squares: np.ndarray
    rows: np.ndarray
    weight: float
    total: np.ndarray
    number: int

    def joined(self, other: Tally) -> Tally:
        """Of the rows of both."""
        return Tally(
            self.squares + other.squares,
            self.rows + other.rows,
            self.weight + other.weight,
            self.total + other.total,
            self.number + other.number,
        )

    @property
    def moments(self) -> Moments:
        means = self.rows / self.weight
        matrix = self.squares / self.weight - means[:, :, None] * means[:, None]
        size = matrix.shape[1]
        own = np.eye(size) * np.diagonal(matrix, axis1=1, axis2=2)[:, None]
        share = size / (size + self.number)  # of few rows, what goes together may do so by chance
        return Moments(self.total / self.number, (1 - share) * matrix + share * own, means)


def products(model: Model, nodes: Sequence[Node], feeds: Iterable[Sequence[np.ndarray]]) -> Products:
    """Of the real inputs that nodes have. Those of a form that is not known are left out."""
    return {node: found.products for node, found in moments(model, nodes, feeds).items()}


def moments(
    model: Model, nodes: Sequence[Node], feeds: Iterable[Sequence[np.ndarray]], least: int = SAMPLES
) -> dict[Node, Moments]:
    """As `products`, with the means. least: as of `tallies`."""
    return {node: tally.moments for node, tally in tallies(model, nodes, feeds, least).items()}


def tallies(
    model: Model, nodes: Sequence[Node], feeds: Iterable[Sequence[np.ndarray]], least: int = SAMPLES
) -> dict[Node, Tally]:
    """What the moments are made of. least: samples that are looked at, however many rows each has."""
    calls = [Call(get(node.op), node) for node in nodes if get(node.op).contraction is not None]
    plan = compile(model, keep=list(dict.fromkeys(call["x"] for call in calls)))
    session = plan.session()
    sums: dict[Node, Tally] = {}
    for sample, arrays in enumerate(feeds):
        if not calls:
            break
        values = session.run(*arrays)
        for call in list(calls):
            assert call.operator.contraction is not None
            found = call.operator.contraction.rows(call, _real(call["x"], values))
            if found is None:
                calls.remove(call)
                continue
            node, rows = call.node, found.astype(np.float64, order="C")
            weight = 1 / max(np.square(rows).mean(), 1e-300)  # so that loud samples count no more than others
            count, total = rows.shape[1], rows.sum(axis=1)
            with np.errstate(invalid="ignore"):  # of infinities
                new = Tally(weight * (rows.transpose(0, 2, 1) @ rows), weight * total, weight * count, total, count)
            sums[node] = sums[node].joined(new) if node in sums else new
            if sample + 1 >= least and sums[node].number >= ROWS * rows.shape[2]:
                calls.remove(call)
    return sums


def _real(tensor: Tensor, values: Mapping[Tensor, np.ndarray]) -> np.ndarray:
    found = values[tensor]
    if tensor.quantization is None or not tensor.dtype.is_quantized_integer:
        return found
    return real(found, tensor.quantization)


def damped(matrix: np.ndarray, damping: float = DAMPING) -> np.ndarray:
    """With more on the diagonals, so that each can be inverted. matrix: (groups, K, K). damping: of their mean"""
    diagonal = np.diagonal(matrix, axis1=1, axis2=2)
    more = np.maximum(damping * diagonal.mean(axis=1), 1e-12)
    return np.asarray(matrix + more[:, None, None] * np.eye(matrix.shape[1]))
