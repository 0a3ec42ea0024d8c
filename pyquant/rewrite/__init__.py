"""Rewrites of a model that keep what it computes."""

from pyquant.rewrite.compat import compat
from pyquant.rewrite.fold import fold
from pyquant.rewrite.fuse import fuse
from pyquant.rewrite.io_type import io_type
from pyquant.rewrite.resize import batch, resize

__all__ = ["batch", "compat", "fold", "fuse", "io_type", "resize"]
