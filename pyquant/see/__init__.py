"""Shows what is in models: descriptions, overlays for a graph viewer, differences."""

from pyquant.see.describe import Description, describe

__all__ = ["Description", "describe"]
