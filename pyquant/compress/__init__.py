"""Weights that take less room: pruned, clustered, and stored so that a file gets smaller."""

from pyquant.compress.masks import load_masks, masks, save_masks
from pyquant.compress.prune import prune
from pyquant.compress.schedules import ConstantSparsity, PolynomialDecay
from pyquant.compress.weights import Weight, weights

__all__ = [
    "ConstantSparsity",
    "PolynomialDecay",
    "Weight",
    "load_masks",
    "masks",
    "prune",
    "save_masks",
    "weights",
]
