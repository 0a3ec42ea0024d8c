"""Multipliers that are not among the parameters: one for all outputs of a layer, which an instruction loads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyquant.edgetpu.executable import Executable

BIT = 29  # where the float32 begins in such an instruction
# What all instructions have in common that load the multiplier of a layer, in the published compiled files: bits that
# are set, and those that are not, besides the float32. (lower, upper) half
SET = np.array([0x000000000030C040, 0x0000000008000000], np.uint64)
CLEAR = np.array([0x000000001C003C07, 0xE780000017800000], np.uint64)


def loaded(executables: Sequence[Executable]) -> np.ndarray:
    """(n,) float32: the different multipliers that instructions load, by when they do first.

    Beside those of layers with weights these are some of means, sums and recurrent layers.
    """
    codes = [e.code.view("<u8") for e in executables if not e.caching]
    words = np.concatenate([*codes, np.zeros((0, 2), np.uint64)])
    words = words[((words & SET == SET) & (words & CLEAR == 0)).all(axis=1), 0]
    values = (words >> np.uint64(BIT)).astype(np.uint32).view(np.float32)
    values = values[np.isfinite(values) & (values > 0)]
    _, first = np.unique(values, return_index=True)
    different: np.ndarray = values[np.sort(first)]
    return different


def assigned(expected: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Which of the multipliers found is that of each layer: (layers,) of places, -1 where there are too few.

    expected: (layers,), in the order in which the layers run. The same number where it is among them; for the others
    the order is kept, and the ratios of what is expected and found come as close to 1 as can be.
    """
    same = np.pad(found == expected[:, None], ((0, 0), (1, 0)))  # (layers, 1 + found)
    places: np.ndarray = same.argmax(axis=1) - 1
    if (places >= 0).all() or len(found) < len(expected):
        return places
    return np.where(places >= 0, places, _in_order(np.abs(np.log(found) - np.log(expected)[:, None])))


def _in_order(costs: np.ndarray) -> np.ndarray:
    """The growing places at which the costs, (layers, places), have the least sum: (layers,)"""
    layers, places = costs.shape
    least = np.zeros(places + 1)  # for the layers so far, of places below
    chosen = np.zeros(costs.shape, np.int64)  # the place of a layer, where it is one of those up to a place
    for i in range(layers):
        total = least[:-1] + costs[i]
        lowest = np.minimum.accumulate(total)
        chosen[i] = np.maximum.accumulate(np.where(total == lowest, np.arange(places), 0))
        least = np.concatenate(([np.inf], lowest))
    path = [places]
    for row in chosen[::-1]:
        path.append(row[path[-1] - 1])
    return np.array(path[:0:-1])
