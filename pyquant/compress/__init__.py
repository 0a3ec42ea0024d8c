"""Weights that take less room: pruned, clustered, and stored so that a file gets smaller."""

from pyquant.compress.channels import ChannelGroup, channel_groups, prune_channels
from pyquant.compress.cluster import GRIDS, cluster
from pyquant.compress.kmeans import STARTS
from pyquant.compress.losses import Loss, losses
from pyquant.compress.lut import compress_lut, decompress_lut
from pyquant.compress.masks import load_masks, masks, save_masks
from pyquant.compress.prune import prune
from pyquant.compress.schedules import ConstantSparsity, PolynomialDecay
from pyquant.compress.size import Size, Sizes, size
from pyquant.compress.sparse import decode_sparse, encode_sparse
from pyquant.compress.weights import Weight, weights

__all__ = [
    "GRIDS",
    "STARTS",
    "ChannelGroup",
    "ConstantSparsity",
    "Loss",
    "PolynomialDecay",
    "Size",
    "Sizes",
    "Weight",
    "channel_groups",
    "cluster",
    "compress_lut",
    "decode_sparse",
    "decompress_lut",
    "encode_sparse",
    "load_masks",
    "losses",
    "masks",
    "prune",
    "prune_channels",
    "save_masks",
    "size",
    "weights",
]
