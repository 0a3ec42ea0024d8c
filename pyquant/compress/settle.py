"""Settles a model whose weights were rounded or pruned: layer by layer, channels are again distributed as they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pyquant.compress.effects import outcomes
from pyquant.compress.losses import coded
from pyquant.compress.sums import few_steps
from pyquant.dtypes import FLOAT32
from pyquant.fixed import activation_bounds
from pyquant.graph import Model, Node, Quantization, Subgraph, Tensor
from pyquant.graph.real import real_values
from pyquant.ops import get
from pyquant.run.compile import compile
from pyquant.run.limits import unpacked_bytes

SAMPLES = 100  # that tell
ROWS = 64  # of one sample, spread over it
HELD = 1 << 29  # bytes of values that all samples make of a model up to one node
STRENGTH = 0.5  # of the way to the deviation of before, as a power: noise is a part of what there is now
MOST = 2.0  # by which a scale changes
STEPS = 8  # of Newton's to a bias
LEAST = 0.05  # of the values between the bounds of an activation, that a step of a bias counts on


class _Channels(NamedTuple):
    """Means and deviations of channels, (channels,) float64."""

    mean: np.ndarray
    deviation: np.ndarray


def settle(model: Model, original: Model, tensors: Collection[Tensor], feeds: Sequence[Sequence[np.ndarray]]) -> None:
    """Give biases, and the scales of clustered weights, what keeps means and deviations of outputs, in place.

    model: a copy of `original` with the same nodes, in which `tensors`, weights, were changed. Codes stay as they are.
    What a layer makes of what those before it, settled, give it has the mean of before, after the fused activation, in
    each channel, and comes nearer to the deviation. All stays as it was where that does not bring outputs nearer.
    """
    feeds = feeds[:: max(len(feeds) // SAMPLES, 1)][:SAMPLES]
    readers = Counter(t for subgraph in model.subgraphs for node in subgraph.nodes for t in node.inputs)
    pairs = [(i, node) for i, node in enumerate(model.main.nodes) if _settles(node, tensors, readers)]
    wanted = _channels(original, [original.main.nodes[i].outputs[0] for i, _ in pairs], feeds)
    expected = outcomes(original, feeds)
    noise = np.square(outcomes(model, feeds) - expected).sum()
    before = [(t, t.data, t.quantization) for _, node in pairs for t in node.inputs[1:3] if t is not None]
    walk = _Walk(model, feeds)
    for (i, node), channels in zip(pairs, wanted, strict=True):
        _settle(node, walk.sums(i), channels)
    if not np.square(outcomes(model, feeds) - expected).sum() <= noise:  # so for NaN, too
        for tensor, data, quantization in before:
            tensor.data, tensor.quantization = data, quantization


def _settles(node: Node, tensors: Collection[Tensor], readers: Mapping[Tensor | None, int]) -> bool:
    """Whether a node's weight is one of these, and it and the bias are its own."""
    if len(node.inputs) < 3 or node.inputs[1] not in tensors or get(node.op).contraction is None:
        return False
    weight, bias = node.inputs[1:3]
    own = weight is not None and weight.dtype is FLOAT32 and readers[weight] == readers[bias] == 1
    return own and bias is not None and bias.is_constant and bias.dtype is FLOAT32


def _channels(model: Model, tensors: Sequence[Tensor], feeds: Sequence[Sequence[np.ndarray]]) -> list[_Channels]:
    """Of values, over all samples."""
    session = compile(model, keep=tensors).session()
    sums = [np.zeros((2, tensor.shape[-1])) for tensor in tensors]
    for arrays in feeds:
        values = session.run(*arrays)
        for tensor, total in zip(tensors, sums, strict=True):
            rows = _rows(values[tensor]).astype(np.float64)
            total += np.mean((rows, rows * rows), axis=1) / len(feeds)
    return [_Channels(mean, np.sqrt(np.maximum(square - mean * mean, 0))) for mean, square in sums]


class _Walk:
    """Through the nodes of a model, with what samples make of them up to there."""

    def __init__(self, model: Model, feeds: Sequence[Sequence[np.ndarray]]) -> None:
        self.nodes, self.at = model.main.nodes, 0
        self.values = [dict(zip(model.main.inputs, arrays, strict=True)) for arrays in feeds]

    def sums(self, i: int) -> np.ndarray:
        """What node i makes before its fused activation, (n, channels), as all nodes before it are now."""
        self._go_to(i)
        node = self.nodes[i]
        if node.options is not None:
            node = replace(node, options=node.options.replace(fused_activation_function=0))
        made = self._run([*self.nodes[self.at : i], node], node.outputs[:1])
        return np.concatenate([_rows(values[node.outputs[0]]) for values in made])

    def _go_to(self, i: int) -> None:
        """Keep what nodes from i on read, where that is not too much and all of it can be fed."""
        read = {t for node in self.nodes[i:] for t in node.inputs}
        made = [t for node in self.nodes[self.at : i] for t in node.outputs if t in read]
        kept = [*(t for t in self.values[0] if t in read), *made]
        if all(t.dtype.numpy is not None for t in kept) and sum(map(unpacked_bytes, kept)) * len(self.values) <= HELD:
            for sample, new in enumerate(self._run(self.nodes[self.at : i], made)):
                every = self.values[sample] | new
                self.values[sample] = {t: every[t] for t in kept}
            self.at = i

    def _run(self, nodes: list[Node], outputs: list[Tensor]) -> Iterator[dict[Tensor, np.ndarray]]:
        """What nodes make of the values of each sample."""
        read = {t for node in nodes for t in node.inputs}
        inputs = [t for t in self.values[0] if t in read]
        session = compile(Model([Subgraph("", [], inputs, outputs, nodes)])).session()
        return (session.run(*(values[t] for t in inputs)) for values in self.values)


def _rows(values: np.ndarray) -> np.ndarray:
    """(n, channels), of positions spread over a value."""
    found = values.reshape(-1, values.shape[-1])
    return found[:: max(len(found) // ROWS, 1)]


def _settle(node: Node, sums: np.ndarray, wanted: _Channels) -> None:
    """Give one node its scales and its bias. sums: as it makes them now, before the activation."""
    weight, bias = node.inputs[1:3]
    assert weight is not None and weight.data is not None and bias is not None
    low, high = activation_bounds(getattr(node.options, "fused_activation_function", 0))
    before = real_values(bias).astype(np.float64)
    gain, q = np.ones(before.size), weight.quantization
    if q is not None and q.per_axis:
        codes, shape = coded(weight), [-1 if axis == q.axis else 1 for axis in range(len(weight.shape))]
        if np.array_equal((codes * q.scale.reshape(shape).astype(np.float64)).astype(np.float32), weight.data):
            now = np.clip(sums, low, high).std(axis=0, dtype=np.float64)
            ratio = wanted.deviation / np.where(now > 0, now, 1)
            steps = few_steps(q.scale * np.where(now > 0, np.clip(ratio, 1 / MOST, MOST), 1) ** STRENGTH)
            gain = steps / q.scale
            weight.data = (codes * steps.reshape(shape)).astype(np.float32)
            weight.quantization = Quantization.of(steps.astype(np.float32), 0, q.axis)
    sums = ((sums - before) * gain).astype(np.float32)
    for _ in range(STEPS):
        made = sums + before.astype(np.float32)
        inside = np.mean((made > low) & (made < high), axis=0)
        before += (wanted.mean - np.clip(made, low, high).mean(axis=0, dtype=np.float64)) / np.maximum(inside, LEAST)
    bias.data = before.astype(np.float32)
