"""What the loss of channels changes in what reads them, and the weights and biases that make up for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyquant.calibrate.products import Moments, damped, moments
from pyquant.compress.layers import check_finite
from pyquant.compress.positions import Positions
from pyquant.dtypes import FLOAT32
from pyquant.graph import Model, Node, Tensor
from pyquant.ops import Call
from pyquant.rewrite.links import call_of

ROUNDS = 16  # in which the channels of a group go, as each changes what the loss of others does


class _Reader:
    """A node whose weights, (groups, outputs, K), meet channels. channels: the class of positions of each of the K."""

    def __init__(self, call: Call, axis: int, positions: Positions) -> None:
        self.call, w = call, call["w"]
        shape = [-1 if i == axis else 1 for i in range(len(w.shape))]
        by_element = np.broadcast_to(positions.classes[positions.of(w, axis)].reshape(shape), w.shape)
        assert call.operator.contraction is not None
        self.contraction = call.operator.contraction
        self.channels = self.contraction.weights(call, by_element)[0, 0]

    @property
    def weights(self) -> np.ndarray:
        data = self.call["w"].data
        assert data is not None
        return self.contraction.weights(self.call, data).astype(np.float64)

    def write(self, weights: np.ndarray) -> None:
        self.call["w"].data = np.ascontiguousarray(self.contraction.restored(self.call, weights), np.float32)

    def add(self, more: np.ndarray) -> None:
        """To the biases, of as many elements."""
        bias = self.call["b"]
        assert bias.data is not None
        bias.data = (bias.data + more.reshape(bias.shape)).astype(np.float32)


class Reconstruction:
    """Lets channels go, one group after the other, in a model that keeps its shapes: their readers take them for 0.

    Float32 nodes of the model have biases: see `add_biases`.
    """

    def __init__(self, model: Model, positions: Positions, feeds: Sequence[Sequence[np.ndarray]]) -> None:
        self.model, self.feeds = model, feeds
        self.readers = [
            _Reader(positions.calls[use.node], use.axis, positions)
            for use in positions.uses
            if use.channels == "read" and _own(model, positions.calls[use.node])
        ]

    def reads(self, channels: np.ndarray) -> list[_Reader]:
        """The nodes that tell what channels matter."""
        return [reader for reader in self.readers if np.isin(reader.channels, channels).any()]

    def without(self, channels: np.ndarray, count: int) -> np.ndarray:
        """Take so many channels for 0, and return them: those whose loss changes least what their readers make."""
        readers = self.reads(channels)
        found = moments(self.model, [reader.call.node for reader in readers], self.feeds)
        check_finite({node: moment.means for node, moment in found.items()})
        solvers = [_Solver(reader, found[reader.call.node]) for reader in readers]
        left, gone = list(channels.tolist()), list[int]()
        while len(gone) < count:
            losses = np.sum([solver.losses(left) for solver in solvers], axis=0)
            now = min(max(count // ROUNDS, 1), count - len(gone))
            chosen = [left[i] for i in np.argsort(losses, kind="stable")[:now]]
            for solver in solvers:
                solver.remove(chosen)
            left, gone = [c for c in left if c not in chosen], gone + chosen
        for reader, solver in zip(readers, solvers, strict=True):
            lost = (reader.weights - solver.weights) @ found[reader.call.node].means[:, :, None]
            reader.write(solver.weights)
            reader.add(lost)
        return np.array(gone)


class _Solver:
    """The weights of a reader that make up best for channels that are gone (the optimal brain surgeon, in blocks)."""

    def __init__(self, reader: _Reader, found: Moments) -> None:
        self.channels, self.weights = reader.channels, reader.weights
        matrix = damped(found.products)
        self.inverse = np.linalg.inv(matrix)
        self.total = max(float(np.einsum("gok,gkl,gol->", self.weights, matrix, self.weights)), 1e-300)

    def losses(self, channels: Sequence[int]) -> np.ndarray:
        """By how much what the reader makes would change, as a part of how it varies, without each of the channels."""
        return np.array([self._loss(self.channels == channel) for channel in channels]) / self.total

    def _loss(self, terms: np.ndarray) -> float:
        own = self.weights[:, :, terms]
        return float(np.sum(own * (own @ np.linalg.inv(self.inverse[:, terms][:, :, terms])))) if own.size else 0.0

    def remove(self, channels: Sequence[int]) -> None:
        terms = np.isin(self.channels, channels)
        if not terms.any():
            return
        shares = np.linalg.solve(self.inverse[:, terms][:, :, terms], self.inverse[:, terms])  # (groups, gone, K)
        self.weights -= self.weights[:, :, terms] @ shares
        self.inverse -= self.inverse[:, :, terms] @ shares
        self.weights[:, :, terms] = 0


def _own(model: Model, call: Call) -> bool:
    """Whether a node of the main subgraph has float32 weights and biases that nothing else reads."""
    if call.operator.contraction is None or call.node not in model.main.nodes:
        return False
    uses = [t for s in model.subgraphs for n in s.nodes for t in n.inputs]
    constants = [t for t in call.node.inputs[1:] if t is not None]
    alone = all(t.is_constant and uses.count(t) == 1 for t in constants)
    return alone and all(t.dtype is FLOAT32 for t in (call["x"], *constants))


def add_biases(model: Model) -> list[tuple[Node, Tensor]]:
    """Give, in place, nodes biases of 0 where they have none, that they can make up for channels with."""
    added = []
    for node in model.main.nodes:
        call = call_of(node)
        if call is None or call.operator.contraction is None or call.get("b") is not None:
            continue
        y = call.node.outputs[0]
        if not y.shape or any(t is None or t.dtype is not FLOAT32 for t in node.inputs[:2]):
            continue
        bias = Tensor(f"{y.name}/bias", y.shape[-1:], FLOAT32)
        bias.data = np.zeros(bias.shape, np.float32)
        model.main.tensors.append(bias)
        node.inputs = [*node.inputs[:2], bias]
        added.append((node, bias))
    return added


def drop_zeros(added: Sequence[tuple[Node, Tensor]]) -> None:
    """Take out, in place, the biases that nothing was added to."""
    for node, bias in added:
        if bias.data is not None and not bias.data.any():
            node.inputs = node.inputs[:2]
