"""Clusters weights: each takes the nearest of a few values, which a compressor of files then stores in a few bits."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from pyquant.calibrate import Moments, samples
from pyquant.compress.effects import Effects
from pyquant.compress.kmeans import STARTS
from pyquant.compress.layers import layers, observed
from pyquant.compress.settle import settle
from pyquant.compress.sums import Search, Sums
from pyquant.compress.values import encoded
from pyquant.compress.weights import Weight, weights
from pyquant.dtypes import BFLOAT16, FLOAT16, FLOAT32
from pyquant.errors import DataError, OptionError, RangeError
from pyquant.graph import Model, Node, Quantization, Tensor
from pyquant.graph.edit import remove_unused
from pyquant.graph.real import real_values
from pyquant.ops import Call, get

DEAD = 2.0**-16  # of what a weight reaches: channels below are 0 on a grid, as their biases do not fit their steps
LEAST = 1e-3  # that noise of a weight is taken to be worth
TRUST = 0.8  # in how worths differ, as a power: a few samples tell them, each weight alone with noise


class Grid(NamedTuple):
    """most: codes are whole numbers in -most..most. per_axis: a step for each channel, where operators take that."""

    most: int
    per_axis: bool


# What clustered float weights are whole steps of, so that quantizing them changes none.
GRIDS = {"int8": Grid(127, True), "int8-per-tensor": Grid(127, False), "int4": Grid(7, True)}


def cluster(
    model: Model,
    clusters: int = 16,
    centroids: str = "optimal",
    per_channel: bool = False,
    data: Any = None,
    keep_zero: bool = True,
    grid: str | None = None,
    rate: float = 0.0,
    seed: int = 0,
    regex: str = ".*",
    operation: str = "*",
    least: int = 0,
) -> Model:
    """A copy in which each weight is one of at most `clusters` values: of its tensor, or per_channel of each output.

    centroids: where the values start, one of `kmeans.STARTS`; those but "optimal", which is exact, go on by Lloyd's
    steps; seed: of what they draw. data: representative samples of a float model, in any form that
    `pyquant.calibrate.samples` takes: then values and what is rounded to which are chosen for the outputs on these, and
    biases, and scales of a grid, bring back how channels are distributed, see `settle`. keep_zero: what is 0 stays 0.
    grid: one of GRIDS: float weights become whole steps of scales that their tensors then carry, which
    `pyquant.quantize` takes over; it does not change one of them then. Quantized weights keep their scales.
    rate: of a weight whose file is compressed, what a bit for each element of all weights may cost in noise, as a share
    of the power of the model's outputs: rare values become rarer. With data, what noise of each weight does to the
    outputs is tried; without, it is taken to be as much, as a share, as in the weight. 0: as little noise as so many
    values allow.
    regex, operation, least: as of `weights`. Weights in neither float nor at most 8 bits stay as they are, and those in
    float16, which casts stand behind, stay in that.
    Raises OptionError, DataError, RangeError for weights that are not finite.
    """
    if centroids not in STARTS:
        raise OptionError(f"centroids: found {centroids!r}, expected one of {', '.join(STARTS)}")
    if grid is not None and grid not in GRIDS:
        raise OptionError(f"grid: found {grid!r}, expected one of {', '.join(GRIDS)}")
    if not 2 <= clusters <= 1 << 16:
        raise OptionError(f"clusters: found {clusters}, expected 2 to {1 << 16}")
    if seed < 0:
        raise OptionError(f"seed: found {seed}, expected at least 0")
    if not 0 <= rate < math.inf:
        raise OptionError(f"rate: found {rate}, expected a number of at least 0")
    made = model.copy()
    found = [weight for weight in weights(made, regex, operation, least, casts=True) if _clusters(weight.tensor)]
    if not found:
        raise OptionError("none of the weights is in float, or quantized to at most 8 bits with scales of channels")
    narrow = [weight.tensor for weight in found if weight.tensor.dtype in (FLOAT16, BFLOAT16)]
    if grid is not None and narrow:
        expected = "float32: open the casts with `fold` first"
        raise OptionError(f"grid: weight {narrow[0].name!r} is in {narrow[0].dtype}, expected {expected}")
    feeds = [] if data is None else _feeds(made, found, data)
    seen, *halves = observed(made, found, feeds) if feeds else [{}]
    readers = Counter(t for subgraph in made.subgraphs for node in subgraph.nodes for t in node.inputs)
    uses, *others = ([[_Use(n, i, of.get(n), readers) for n, i in w.uses] for w in found] for of in (seen, *halves))
    sums = [_sums(w.tensor, own, GRIDS[grid] if grid else None) for w, own in zip(found, uses, strict=True)]
    prices = np.full(len(found), rate / sum(weight.tensor.size for weight in found))
    if rate and feeds:
        prices /= _worth(made, found, seen, feeds)

    def clustered(index: int) -> tuple[np.ndarray, np.ndarray]:
        generator = np.random.default_rng((seed, index))
        search = Search(centroids, clusters, per_channel, keep_zero, float(prices[index]), generator)
        own = sums[index]
        if others:
            one, other = (_matrix(half[index], own.rows.shape[2]) for half in others)
            own = own.suited(one, other, search)
        return own.clustered(search)

    wanted = [i for i, own in enumerate(sums) if own.rows.any()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy and C let others run meanwhile
        for i, (codes, steps) in zip(wanted, pool.map(clustered, wanted), strict=True):
            _store(found[i].tensor, uses[i][0], codes, steps, sums[i])
            for use in uses[i]:
                if use.bias is not None and use.seen is not None:
                    shift = np.einsum("gok,gk->go", codes * steps - sums[i].rows, use.seen.means)
                    use.bias.data = (real_values(use.bias) - shift.reshape(-1)).astype(np.float32)
    if feeds:
        settle(made, model, {weight.tensor for weight in found}, feeds)
    remove_unused(made)  # the buffers of before
    return made


class _Use:
    """How a node sums up products of a weight and what it meets."""

    def __init__(self, node: Node, i: int, seen: Moments | None, readers: Mapping[Tensor | None, int]) -> None:
        operator = get(node.op).of(node)
        self.slot, self.call = operator.slots(node.inputs)[i], Call(operator, node)
        self.tensor, self.seen = self.call[self.slot.name], seen
        known = operator.contraction is not None and self.call["w"] is self.tensor
        self.contraction = operator.contraction if known else None
        given = zip(operator.slots(node.inputs), node.inputs, strict=True)
        biases = [t for slot, t in given if slot.role == "bias" and t is not None]
        # of which nothing else reads: it takes up what becomes of means
        own = len(biases) == 1 and biases[0].is_constant and biases[0].dtype is FLOAT32 and readers[biases[0]] == 1
        self.bias = biases[0] if own else None

    def rows(self, values: np.ndarray) -> np.ndarray:
        """In the weight's shape -> (groups, outputs, K)"""
        if self.contraction is not None:
            return self.contraction.weights(self.call, values)
        return np.moveaxis(values, self.slot.axis or 0, 0).reshape(1, values.shape[self.slot.axis or 0], -1)

    def restored(self, rows: np.ndarray) -> np.ndarray:
        """The inverse."""
        if self.contraction is not None:
            return self.contraction.restored(self.call, rows)
        axis, shape = self.slot.axis or 0, self.tensor.shape
        return np.moveaxis(rows.reshape(shape[axis], *shape[:axis], *shape[axis + 1 :]), 0, axis)

    @property
    def matrix(self) -> np.ndarray | None:
        """How what the weights meet goes together, about its means where the bias takes these up."""
        if self.seen is None or not self.seen.products.any() or not np.isfinite(self.seen.products).all():
            return None
        return self.seen.about_zero if self.bias is None else self.seen.products


def _sums(tensor: Tensor, uses: list[_Use], grid: Grid | None) -> Sums:
    """A weight, how all its uses see it."""
    use = uses[0]
    values = real_values(tensor).astype(np.float64)
    if not np.isfinite(values).all():
        raise RangeError(f"weight {tensor.name!r}: holds NaN or infinity, expected finite values")
    rows = use.rows(values)
    matrix = _matrix(uses, rows.shape[2])
    if not tensor.dtype.is_float:
        q = tensor.quantization
        assert q is not None
        steps = use.rows(np.broadcast_to(_along(q.scale, q.axis, values.ndim), values.shape))[:, :, :1]
        return Sums(rows, steps.astype(np.float64), 1 << tensor.dtype.bits, matrix)
    if grid is None:
        return Sums(rows, np.ones((1, 1, 1)), None, matrix)
    per_axis = grid.per_axis and use.slot.axis is not None
    most = np.abs(rows).max(axis=2 if per_axis else None, keepdims=True)
    dead = most < DEAD * most.max()
    rows = np.where(dead, 0.0, rows)
    most[dead] = most.max()
    steps = np.broadcast_to(most / grid.most, (*rows.shape[:2], 1)).astype(np.float32)
    return Sums(rows, steps.astype(np.float64), grid.most, matrix, "output" if per_axis else "all")


def _matrix(uses: list[_Use], size: int) -> np.ndarray | None:
    """How what a weight meets, so much at a time, goes together in all its uses."""
    found = [matrix for use in uses if (matrix := use.matrix) is not None and matrix.shape[1] == size]
    return np.mean(found, axis=0) if found else None


def _store(tensor: Tensor, use: _Use, codes: np.ndarray, steps: np.ndarray, sums: Sums) -> None:
    """Give a tensor its new values, and a float one that has a grid the scales of that."""
    if tensor.dtype.is_float:
        tensor.data = encoded(tensor, np.ascontiguousarray(use.restored((codes * steps).astype(np.float32))))
        if sums.whole is not None:
            scales = np.broadcast_to(steps, (*codes.shape[:2], 1)).reshape(-1)
            tensor.quantization = Quantization.of(
                scales if sums.fitted == "output" else scales[0], 0, use.slot.axis or 0
            )
        return
    q = tensor.quantization
    assert q is not None
    stored = use.restored(codes) + _along(q.zero_point, q.axis, len(tensor.shape))
    tensor.data = stored.astype(tensor.dtype.numpy)


def _along(numbers: np.ndarray, axis: int, rank: int) -> np.ndarray:
    """One number for each index of an axis, or one for all."""
    return numbers.reshape([-1 if i == axis else 1 for i in range(rank)] if numbers.size > 1 else [1] * rank)


def _clusters(tensor: Tensor) -> bool:
    """Whether its values can be clustered."""
    q = tensor.quantization
    whole = q is not None and q.details is None and q.scale.size > 0 and tensor.dtype.is_quantized_integer
    return tensor.dtype in (FLOAT32, FLOAT16, BFLOAT16) or (whole and tensor.dtype.bits <= 8)


def _feeds(model: Model, found: list[Weight], data: Any) -> list[list[np.ndarray]]:
    whole = [weight.tensor.name for weight in found if not weight.tensor.dtype.is_float]
    if whole:
        expected = "a float model: cluster that with grid=, then quantize it"
        raise DataError(f"data: weight {whole[0]!r} is quantized, expected {expected}")
    return [[*sample.values()] for sample in samples(data, model)]


def _worth(
    model: Model, found: list[Weight], seen: Mapping[Node, Moments], feeds: Sequence[Sequence[np.ndarray]]
) -> np.ndarray:
    """What noise of each weight's sums makes of noise in the model's outputs, both as shares of power."""
    known, effects = layers(model, found, seen), Effects(model, feeds)
    own = [known.get(w) for w in found]
    worth = np.array([max(effects.of(o) * o.error(np.zeros_like(o.values)), LEAST) if o else 1.0 for o in own])
    return np.asarray(worth**TRUST * np.exp(np.log(worth).mean()) ** (1 - TRUST))
