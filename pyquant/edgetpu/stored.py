"""Finds the layers of a model among the parameters of a compiled one, and reads there what these hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pyquant.edgetpu.executable import Executable
from pyquant.edgetpu.multipliers import assigned, loaded
from pyquant.edgetpu.package import Container
from pyquant.edgetpu.parameters import ALIGNMENT, Constants, constants_of, decode, encode, is_decoded
from pyquant.graph import Node

# Outputs of so many pixels and more make the compiler take the weights tap by tap: it does so at 56x56 and above, and
# not at 28x28, in the 16 published layers where it matters.
MANY_PIXELS = 2000
PIECES = 4  # of a layer that are looked for
DETOURS = 500  # steps, beyond those needed, to find where layers fit that are not there as they should be


@dataclass(frozen=True, eq=False)
class Stored:
    """Where a node's constants are. found: what is there, in the form of `expected`, which is what the node has.

    blob, offset: which executable's parameters, and the byte in them; order: one of ORDERS; all None where the layer is
    not there. cached: it stays on the device from run to run. assumed: nothing but shapes and the order of the graph
    tells it from other layers, or one order of its weights from the other.
    """

    node: Node
    expected: Constants
    found: Constants | None = None
    blob: int | None = None
    cached: bool = False
    offset: int | None = None
    order: str | None = None
    assumed: bool = False


def find_stored(nodes: Sequence[Node], containers: Sequence[Container]) -> list[Stored]:
    """Look for each of the nodes whose constants have a known layout; the others are left out."""
    executables = [e for container in containers for e in container.executables]
    blobs = [_Blob(i, e) for i, e in enumerate(sorted(executables, key=lambda e: not e.caching))]
    found = {node: _as_expected(Stored(node, constants_of(node)), blobs) for node in nodes if is_decoded(node)}
    found |= {node: _nearly_as_expected(layer, blobs) for node, layer in found.items() if layer.found is None}
    _fill(found, blobs, _ancestors(nodes))
    return _with_multipliers(list(found.values()), executables)


class _Blob:
    """Parameters, and which of them are taken: (units of ALIGNMENT,) bool."""

    def __init__(self, number: int, executable: Executable) -> None:
        self.number, self.cached, self.data = number, executable.caching, executable.parameters
        self.bytes = self.data.tobytes()
        self.taken = np.zeros(-(-self.data.size // ALIGNMENT), bool)

    def find(self, wanted: np.ndarray) -> int | None:
        """The first place of these bytes that is free."""
        text, at = wanted.tobytes(), 0
        while (at := self.bytes.find(text, at)) >= 0:
            if at % ALIGNMENT == 0 and not self.units(at, len(text)).any():
                return at
            at += ALIGNMENT - at % ALIGNMENT
        return None

    def units(self, at: int, size: int) -> np.ndarray:
        """A view on what is taken of `size` bytes."""
        return self.taken[at // ALIGNMENT : (at + size) // ALIGNMENT]

    def gaps(self) -> Iterator[tuple[int, int]]:
        """(start, end) of what is free."""
        edges = np.flatnonzero(np.diff(self.taken, prepend=True, append=True)) * ALIGNMENT
        return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)

    def holding(self, layer: Stored, found: Constants, at: int, order: str, assumed: bool) -> Stored:
        """The layer as it is here. What it takes is no longer free."""
        self.units(at, found.bytes)[:] = True
        return replace(
            layer, found=found, blob=self.number, cached=self.cached, offset=at, order=order, assumed=assumed
        )


def _as_expected(layer: Stored, blobs: Sequence[_Blob]) -> Stored:
    """Where a layer's bytes are there as they should be; the layer as it is where they are not."""
    for order in _orders(layer):
        data = encode(layer.expected, order)
        for blob in blobs:
            if (at := blob.find(data)) is not None:
                return blob.holding(layer, decode(data, layer.expected, order), at, order, assumed=False)
    return layer


def _nearly_as_expected(layer: Stored, blobs: Sequence[_Blob]) -> Stored:
    """Where a piece of a layer's bytes is there, and most of its weights around it; the layer as it is elsewhere."""
    for order in _orders(layer):
        data = encode(layer.expected, order)
        for offset in range(0, data.size, -(-data.size // PIECES // ALIGNMENT) * ALIGNMENT):
            piece = data[offset : offset + ALIGNMENT].tobytes()
            for blob in blobs:
                at = blob.bytes.find(piece) - offset
                if at < 0 or at % ALIGNMENT or blob.units(at, data.size).any():
                    continue
                for fit in _fits(layer, blob.data[at:]):
                    if not fit.other:
                        return blob.holding(layer, fit.found, at, fit.order, assumed=False)
    return layer


def _orders(layer: Stored) -> tuple[str, ...]:
    """In which the weights may lie, the likelier first; one where all are the same."""
    y, orders = layer.node.outputs[0], layer.expected.orders
    return orders if y.size >= MANY_PIXELS * y.shape[-1] else orders[::-1]


class _Fit(NamedTuple):
    """A layer that may be at a place. other: most of its weights are others than expected."""

    other: bool
    layer: Stored
    found: Constants
    order: str


class _State(NamedTuple):
    """What is free, (blob, start, end); layers not placed yet; those that are, (blob, start, fit, assumed)."""

    gaps: tuple[tuple[_Blob, int, int], ...]
    missing: tuple[Node, ...]
    placed: tuple[tuple[_Blob, int, _Fit, bool], ...] = ()


def _fill(layers: dict[Node, Stored], blobs: Sequence[_Blob], before: dict[Node, set[Node]]) -> None:
    """Place, into what is free, the layers that are not there as they should be: as many as can be found to fit.

    What lies behind another layer does not come before it in the graph.
    """
    gaps = tuple((blob, *gap) for blob in blobs for gap in blob.gaps())
    best = _State(gaps, tuple(node for node, layer in layers.items() if layer.found is None))
    waiting, steps = [best], len(best.missing) + DETOURS
    while waiting and best.missing and steps:
        state, steps = waiting.pop(), steps - 1
        best = max(best, state, key=lambda s: len(s.placed))
        waiting += reversed(_next(state, layers, before))
    for blob, at, fit, assumed in best.placed:
        layers[fit.layer.node] = blob.holding(fit.layer, fit.found, at, fit.order, assumed)


def _next(state: _State, layers: dict[Node, Stored], before: dict[Node, set[Node]]) -> list[_State]:
    """With one layer more at the first place that is free, the likeliest first; or without that place."""
    if not state.gaps or not state.missing:
        return []
    (blob, at, end), *gaps = state.gaps
    ready = [node for node in state.missing if not before[node].intersection(state.missing)]
    fits = [fit for node in ready for fit in _fits(layers[node], blob.data[at : min(end, blob.data.size)])]
    fits.sort(key=lambda fit: fit.other)
    return [
        _State(
            ((blob, at + fit.found.bytes, end), *gaps),
            tuple(node for node in state.missing if node is not fit.layer.node),
            (*state.placed, (blob, at, fit, fit.other and len(fits) > 1)),
        )
        for fit in fits
    ] or [state._replace(gaps=tuple(gaps))]


def _fits(layer: Stored, data: np.ndarray) -> Iterator[_Fit]:
    """The orders in which the first bytes can be a layer of that shape: what pads it is there."""
    size, expected = layer.expected.bytes, layer.expected
    for order in _orders(layer) if size <= data.size else ():
        found = decode(data[:size], expected, order)
        if np.array_equal(encode(found, order), data[:size]):
            yield _Fit(bool(np.mean(found.weights == expected.weights) < 0.5), layer, found, order)


def _ancestors(nodes: Sequence[Node]) -> dict[Node, set[Node]]:
    """The nodes that lead to each one."""
    makers = {tensor: node for node in nodes for tensor in node.outputs}
    found: dict[Node, set[Node]] = {}
    for node in nodes:
        direct = {makers[t] for t in node.inputs if t in makers}
        found[node] = direct.union(*(found[maker] for maker in direct))
    return found


def _with_multipliers(layers: Sequence[Stored], executables: Sequence[Executable]) -> list[Stored]:
    """What instructions load, for the layers of one multiplier, which run in the order of the parameters."""
    found = {layer.node: layer for layer in layers}
    single = [layer for layer in layers if layer.found is not None and layer.found.single]
    single.sort(key=lambda layer: (layer.blob, layer.offset))
    values = loaded(executables)
    expected = np.array([layer.expected.multipliers[0] for layer in single], np.float32)
    for layer, place in zip(single, assigned(expected, values), strict=True):
        if layer.found is not None and place >= 0:
            known = replace(layer.found, multipliers=values[place : place + 1])
            found[layer.node] = replace(layer, found=known)
    return list(found.values())
