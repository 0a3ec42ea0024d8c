"""Weights that take less room: pruned, clustered, and stored so that a file gets smaller."""

from pyquant.compress.channels import ChannelGroup, channel_groups, prune_channels
from pyquant.compress.weights import Weight, weights

__all__ = ["ChannelGroup", "Weight", "channel_groups", "prune_channels", "weights"]
