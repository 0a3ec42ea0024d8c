"""What the weights of a model lost in a copy of it, and in how few bits what is left can be coded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pyquant.compress.weights import weights
from pyquant.errors import GraphError
from pyquant.graph import Model, Tensor
from pyquant.graph.real import real_values


class Loss(NamedTuple):
    """Of one weight. distinct: different values; of a weight that lies on a grid, different codes. entropy: bits that
    a code of each alone takes. zeros: how many. sqnr: power of the weight over that of its change, in dB."""

    name: str
    elements: int
    distinct: int
    entropy: float
    zeros: int
    sqnr: float


def losses(before: Model, after: Model, regex: str = ".*", operation: str = "*", least: int = 0) -> list[Loss]:
    """Of each weight that is meant, see `weights`. after: a copy of `before` with the same nodes."""
    nodes = [[node for subgraph in model.subgraphs for node in subgraph.nodes] for model in (before, after)]
    if [node.op for node in nodes[0]] != [node.op for node in nodes[1]]:
        raise GraphError(
            f"losses: found {len(nodes[1])} nodes in the copy, expected the same {len(nodes[0])} as before"
        )
    twin = dict(zip(*nodes, strict=True))
    found = weights(before, regex, operation, least, casts=True)
    now = {use: weight.tensor for weight in weights(after, casts=True) for use in weight.uses}
    uses = [(weight.tensor, *weight.uses[0]) for weight in found]
    return [_loss(tensor, now.get((twin[node], i)) or twin[node].inputs[i] or tensor) for tensor, node, i in uses]


def _loss(old: Tensor, new: Tensor) -> Loss:
    values, made, codes = real_values(old), real_values(new), coded(new)
    count = np.unique(codes, return_counts=True)[1]
    share = count / max(codes.size, 1)
    noise = np.square(made - values, dtype=np.float64).sum()
    power = np.square(values, dtype=np.float64).sum()
    sqnr = 10 * np.log10(power / noise) if noise and power else np.inf
    entropy = float(-(share * np.log2(share)).sum()) + 0.0
    return Loss(old.name, old.size, len(count), entropy, int((made == 0).sum()), float(sqnr))


def coded(tensor: Tensor) -> np.ndarray:
    """What a file would hold of a constant: whole numbers of steps where it is quantized or carries its scales."""
    stored, q = tensor.data, tensor.quantization
    assert stored is not None
    if not tensor.dtype.is_float or q is None or not tensor.is_quantized or q.details is not None:
        return stored
    shape = [-1 if i == q.axis and q.per_axis else 1 for i in range(stored.ndim)]
    return np.asarray(np.rint(stored.astype(np.float64) / q.scale.reshape(shape)) + 0.0)
