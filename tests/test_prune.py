"""Pruned models: exact counts in every pattern and type, masks, schedules, and what samples make of them."""

from __future__ import annotations

import numpy as np
import pytest
from networks import network, normal, samples

from pyquant.compress import masks, prune, weights
from pyquant.graph import Builder, Model
from pyquant.ops.build import add


def zeros(model: Model) -> dict[str, int]:
    return {name: int(np.count_nonzero(~mask)) for name, mask in masks(model).items()}


def dense(shape: tuple[int, int], w: np.ndarray | None = None) -> Model:
    b = Builder()
    x = b.input("x", (1, shape[1]))
    constants = [b.constant("w", normal(*shape) if w is None else w), b.constant("b", normal(shape[0]))]
    return b.model([add(b, "FULLY_CONNECTED", [x, *constants], "y")])


@pytest.mark.parametrize("data", [False, True])
@pytest.mark.parametrize("sparsity", [0, 0.3, 0.5, 0.815, 1])
def test_exactly_the_share_goes(sparsity: float, data: bool) -> None:
    model = network()
    before = {w.tensor.name: (w.tensor.size, w.tensor.data.copy()) for w in weights(model)}
    made = prune(model, sparsity, data=samples(4) if data else None)
    assert zeros(made) == {name: round(sparsity * size) for name, (size, _) in before.items()}
    assert all(np.array_equal(w.tensor.data, before[w.tensor.name][1]) for w in weights(model)), "the argument changed"


def test_least_magnitudes_go_and_of_equal_ones_the_first() -> None:
    model = dense((2, 4), np.float32([[3, -1, 0.5, 2], [1, -1, 4, 5]]))
    (weight,) = weights(prune(model, 0.375))
    assert weight.tensor.data.tolist() == [[3, 0, 0, 2], [0, -1, 4, 5]]
