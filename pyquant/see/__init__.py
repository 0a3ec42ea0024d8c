"""Shows what is in models: descriptions, overlays for a graph viewer, differences."""

from pyquant.see.describe import Description, describe
from pyquant.see.diff import diff
from pyquant.see.difference import Diff, Difference
from pyquant.see.overlay import COSTS, cost_overlay, overlay

__all__ = ["COSTS", "Description", "Diff", "Difference", "cost_overlay", "describe", "diff", "overlay"]
