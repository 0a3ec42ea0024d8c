"""Checks files against the quantization specification and target profiles, and repairs what is safe to repair."""

from pyquant.lint.check import lint, repair
from pyquant.lint.finding import Finding
from pyquant.lint.rules import RULES

__all__ = ["RULES", "Finding", "lint", "repair"]
