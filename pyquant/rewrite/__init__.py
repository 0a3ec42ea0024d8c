"""Rewrites of a model that keep what it computes."""

from pyquant.rewrite.compat import compat

__all__ = ["compat"]
