"""The Edge TPU: what its compiler maps of a model, predicted; what it made of one, read; and repairs."""

from pyquant.edgetpu.compare import Comparison
from pyquant.edgetpu.inspect import Inspection, inspect
from pyquant.edgetpu.parameters import parameter_bytes
from pyquant.edgetpu.recover import Recovery, recover, recovery

__all__ = ["Comparison", "Inspection", "Recovery", "inspect", "parameter_bytes", "recover", "recovery"]
