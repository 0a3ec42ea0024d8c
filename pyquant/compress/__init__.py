"""Weights that take less room: pruned, clustered, and stored so that a file gets smaller."""

from pyquant.compress.cluster import GRIDS, cluster
from pyquant.compress.kmeans import STARTS
from pyquant.compress.losses import Loss, losses
from pyquant.compress.weights import Weight, weights

__all__ = ["GRIDS", "STARTS", "Loss", "Weight", "cluster", "losses", "weights"]
