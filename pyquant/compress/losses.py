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
    """Of each weight that is meant, see `weights`. after: a copy of `before` with the same tensors."""
    sizes = [[len(subgraph.tensors) for subgraph in model.subgraphs] for model in (before, after)]
    if sizes[0] != sizes[1]:
        raise GraphError(f"losses: found {sizes[1]} tensors in the copy's subgraphs, expected {sizes[0]}")
    twin = {
        old: new
        for a, b in zip(before.subgraphs, after.subgraphs, strict=True)
        for old, new in zip(a.tensors, b.tensors, strict=True)
    }
    return [_loss(weight.tensor, twin[weight.tensor]) for weight in weights(before, regex, operation, least)]


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
