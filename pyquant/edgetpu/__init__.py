"""The Edge TPU: what its compiler maps of a model, predicted; what it made of one, read; and repairs."""

from pyquant.edgetpu.parameters import parameter_bytes

__all__ = ["parameter_bytes"]
