"""What to do with a model, and in which order."""

from pyquant.advise.pipeline import PASSES, load_steps, pipeline

__all__ = ["PASSES", "load_steps", "pipeline"]
