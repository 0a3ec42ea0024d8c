"""What errors of weights' sums do to the values by which a model is judged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyquant.calibrate import judged, probabilities
from pyquant.compress.layers import Layer
from pyquant.graph import Model
from pyquant.run.compile import compile

SAMPLES = 25  # by which weights are compared
PROBE = 0.3  # of its value, by which each element changes for that: much, as few bits leave much noise


class Effects:
    """Tried on the model itself, whose weights are then again what they were. feeds: arrays in input order.

    Of probabilities, square roots are compared: half their squared distance (Hellinger 1909) is that of what the model
    says, where most of what goes into a softmax says nothing. Of other outputs, what `judged` names.
    """

    def __init__(self, model: Model, feeds: Sequence[Sequence[np.ndarray]]) -> None:
        self.model, self.feeds = model, feeds[:: max(len(feeds) // SAMPLES, 1)][:SAMPLES]
        self.expected = outcomes(model, self.feeds)

    def of(self, layer: Layer) -> float:
        """The share of all their power that a squared error of 1 in its sums adds; of the sums' where none are real."""
        signs = np.sign(np.random.default_rng(0).uniform(-1, 1, layer.values.shape)).astype(np.float32)
        values = layer.values * (1 + PROBE * signs)
        error = layer.error(values)
        if not error or not self.expected.size:
            return 1 / max(layer.error(np.zeros_like(values)), 1e-30)
        tensors = [layer.tensor, *layer.means]
        before = [tensor.data for tensor in tensors]
        layer.store(values)
        change = outcomes(self.model, self.feeds)
        for tensor, data in zip(tensors, before, strict=True):
            tensor.data = data
        power = max(float(np.square(self.expected).sum()), 1e-30)
        return float(np.square(change - self.expected).sum() / error / power)


def outcomes(model: Model, feeds: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """What a model is judged by, square roots of probabilities: (samples, n), n = 0 where no output is real."""
    likely = probabilities(model)
    named = {*likely, *likely.values()}
    kept = [*likely, *(t for t in judged(model) if t not in named)]
    session = compile(model, keep=kept).session()
    found = []
    for arrays in feeds:
        values = session.run(*arrays)
        parts = [np.sqrt(np.maximum(values[t], 0)) if t in likely else values[t] for t in kept]
        found.append(np.concatenate([np.zeros(0), *(part.reshape(-1) for part in parts)]))
    return np.array(found)
