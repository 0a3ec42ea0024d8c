"""What the loss of channels changes in what reads them, and the weights and biases that make up for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyquant.calibrate.products import Moments, damped, moments
from pyquant.compress.positions import Positions
from pyquant.dtypes import FLOAT32
from pyquant.graph import Model, Node, Subgraph, Tensor
from pyquant.ops import Call

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


class Reconstruction:
    """Lets channels go, one group after the other, in a model that keeps its shapes: their readers take them for 0."""

    def __init__(self, model: Model, positions: Positions, feeds: Sequence[Sequence[np.ndarray]]) -> None:
        self.model, self.feeds = model, feeds
        self.readers = [
            _Reader(positions.calls[use.node], use.axis, positions)
            for use in positions.uses
            if use.channels == "read" and _own(model, positions.calls[use.node])
        ]
        self.changed: dict[Node, _Reader] = {}
        found = moments(model, [reader.call.node for reader in self.readers], feeds)
        self.made = {r.call.node: _means(r.weights, found[r.call.node]) for r in self.readers if r.call.node in found}
        self.readers = [reader for reader in self.readers if reader.call.node in found]

    def reads(self, channels: np.ndarray) -> list[_Reader]:
        """The nodes that tell what channels matter."""
        return [reader for reader in self.readers if np.isin(reader.channels, channels).any()]

    def without(self, channels: np.ndarray, count: int) -> np.ndarray:
        """Take so many channels for 0, and return them: those whose loss changes least what their readers make."""
        readers = self.reads(channels)
        found = moments(self.model, [reader.call.node for reader in readers], self.feeds)
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
            reader.write(solver.weights)
            self.changed[reader.call.node] = reader
        return np.array(gone)

    def correct_biases(self) -> None:
        """Let the means of what readers make be what they were, as far as what they read tells."""
        found = moments(self.model, list(self.changed), self.feeds)
        graphs = {node: subgraph for subgraph in self.model.subgraphs for node in subgraph.nodes}
        for node, reader in self.changed.items():
            lost = self.made[node] - _means(reader.weights, found[node])
            _add_to_bias(graphs[node], reader.call, lost.ravel().astype(np.float32))


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


def _means(weights: np.ndarray, found: Moments) -> np.ndarray:
    """Of what weights make, without biases: (groups, outputs)"""
    return np.asarray(np.einsum("gok,gk->go", weights, found.means))


def _own(model: Model, call: Call) -> bool:
    """Whether a node of the main subgraph has float32 weights and biases that nothing else reads."""
    tensors = [call["x"], call["w"], *(t for t in (call.get("b"),) if t is not None)] if _contracts(call) else []
    uses = [t for s in model.subgraphs for n in s.nodes for t in n.inputs]
    constant = all(t.is_constant and uses.count(t) == 1 for t in tensors[1:])
    return bool(tensors) and constant and all(t.dtype is FLOAT32 for t in tensors) and call.node in model.main.nodes


def _contracts(call: Call) -> bool:
    return call.operator.contraction is not None


def _add_to_bias(graph: Subgraph, call: Call, more: np.ndarray) -> None:
    bias, node = call.get("b"), call.node
    if bias is not None and bias.data is not None:
        bias.data = (bias.data + more.reshape(bias.shape)).astype(np.float32)
        return
    made = Tensor(f"{node.outputs[0].name}/bias", more.shape, FLOAT32)
    made.data = more
    graph.tensors.append(made)
    node.inputs = [*node.inputs[:2], made]
