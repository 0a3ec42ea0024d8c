"""What errors of weights' sums do to the values by which a model is judged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyquant.calibrate import judged
from pyquant.compress.layers import Layer
from pyquant.graph import Model
from pyquant.run.compile import compile

SAMPLES = 16  # by which weights are compared
PROBE = 0.1  # of its value, by which each element changes for that


class Effects:
    """Tried on the model itself, whose weights are then again what they were. feeds: arrays in input order."""

    def __init__(self, model: Model, feeds: Sequence[Sequence[np.ndarray]]) -> None:
        self.model, self.feeds, self.judged = model, feeds[:: max(len(feeds) // SAMPLES, 1)][:SAMPLES], judged(model)
        self.expected = self._values() if self.judged else np.zeros(0)

    def of(self, layer: Layer) -> float:
        """The share of all their power that a squared error of 1 in its sums adds; of the sums' where none are real."""
        signs = np.sign(np.random.default_rng(0).uniform(-1, 1, layer.values.shape)).astype(np.float32)
        values = layer.values * (1 + PROBE * signs)
        error = layer.error(values)
        if not error or not self.judged:
            return 1 / max(layer.error(np.zeros_like(values)), 1e-30)
        tensors = [layer.tensor, *layer.means]
        before = [tensor.data for tensor in tensors]
        layer.store(values)
        change = self._values()
        for tensor, data in zip(tensors, before, strict=True):
            tensor.data = data
        power = max(float(np.square(self.expected).sum()), 1e-30)
        return float(np.square(change - self.expected).sum() / error / power)

    def _values(self) -> np.ndarray:
        session = compile(self.model, keep=self.judged).session()
        found = [session.run(*arrays) for arrays in self.feeds]
        return np.array([np.concatenate([values[t].reshape(-1) for t in self.judged]) for values in found], np.float64)
