"""Which elements of a weight go together when it is pruned: each by itself, in blocks, or N of each M in a row."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pyquant.errors import OptionError

# How good a block is: by the greatest, or by the mean of its elements' scores; those past the weight's end are NaN.
POOLINGS: dict[str, Callable[..., np.ndarray]] = {"max": np.nanmax, "mean": np.nanmean}


def least(scores: np.ndarray, count: int) -> np.ndarray:
    """True for the `count` least; of equal ones, the first."""
    flat = scores.reshape(-1)
    chosen = np.zeros(flat.size, bool)
    if count > 0:
        bound = np.partition(flat, count - 1)[count - 1]
        chosen = flat < bound
        equal = np.flatnonzero(flat == bound)
        chosen[equal[: count - np.count_nonzero(chosen)]] = True
    return chosen.reshape(scores.shape)


class Pattern(Protocol):
    """Chooses by the scores of a weight's elements, in its shape: first outputs, last what lies side by side."""

    def units(self, scores: np.ndarray) -> np.ndarray:
        """The score of each block that goes or stays as one."""

    def gone(self, scores: np.ndarray, count: int) -> np.ndarray:
        """True for what goes, `count` units, in the shape of the scores."""


@dataclass(frozen=True)
class Blocks:
    """Blocks of so many outputs and elements of the last dimension, at one place in the dimensions between.

    Where they do not divide a dimension, those at its end are smaller, and are judged and counted as others are.
    """

    rows: int = 1
    columns: int = 1
    pooling: str = "max"

    def units(self, scores: np.ndarray) -> np.ndarray:
        if self.rows == self.columns == 1:
            return scores
        found = _by_output(scores)
        outputs, _, last = found.shape
        past = [(0, -outputs % self.rows), (0, 0), (0, -last % self.columns)]
        padded = np.pad(found, past, constant_values=np.nan)
        blocks = padded.reshape(padded.shape[0] // self.rows, self.rows, padded.shape[1], -1, self.columns)
        return POOLINGS[self.pooling](blocks, axis=(1, 4))

    def gone(self, scores: np.ndarray, count: int) -> np.ndarray:
        chosen = least(self.units(scores), count)
        if self.rows == self.columns == 1:
            return chosen
        outputs, _, last = _by_output(scores).shape
        whole = chosen.repeat(self.rows, 0)[:outputs].repeat(self.columns, 2)[:, :, :last]
        return whole.reshape(scores.shape)


@dataclass(frozen=True)
class Kept:
    """At most `most` of each `of` elements in a row along the last dimension stay, and of fewer at its end."""

    most: int
    of: int

    def units(self, scores: np.ndarray) -> np.ndarray:
        return np.zeros(0)  # the pattern itself says how many go

    def gone(self, scores: np.ndarray, count: int) -> np.ndarray:
        last = scores.shape[-1]
        found = scores.reshape(-1, last)
        past = -last % self.of  # counts as what stays last of all
        groups = np.pad(found, [(0, 0), (0, past)], constant_values=-np.inf).reshape(len(found), -1, self.of)
        order = np.argsort(-groups, axis=2, kind="stable")
        gone = np.ones(groups.shape, bool)
        np.put_along_axis(gone, order[:, :, : self.most], False, axis=2)
        return gone.reshape(len(found), -1)[:, :last].reshape(scores.shape)


def pattern_of(text: str, pooling: str = "max") -> Pattern:
    """ "unstructured", blocks such as "1x4", or "2:4". Raises OptionError."""
    if pooling not in POOLINGS:
        raise OptionError(f"pooling: found {pooling!r}, expected one of {', '.join(POOLINGS)}")
    if text == "unstructured":
        return Blocks()
    found = re.fullmatch(r"([1-9]\d*)([x:])([1-9]\d*)", text)
    if found is None or (found[2] == ":" and int(found[1]) >= int(found[3])):
        expected = "'unstructured', blocks as '1x4', or N:M as '2:4' with N below M"
        raise OptionError(f"pattern: found {text!r}, expected {expected}")
    first, second = int(found[1]), int(found[3])
    return Blocks(first, second, pooling) if found[2] == "x" else Kept(first, second)


def _by_output(array: np.ndarray) -> np.ndarray:
    """(outputs, places, last)"""
    shape = array.shape if array.ndim > 1 else (1, array.size)
    return array.reshape(shape[0], -1, shape[-1])
