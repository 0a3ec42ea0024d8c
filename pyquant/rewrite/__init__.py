"""Rewrites of a model that keep what it computes."""

from pyquant.rewrite.compat import compat
from pyquant.rewrite.fold import fold

__all__ = ["compat", "fold"]
