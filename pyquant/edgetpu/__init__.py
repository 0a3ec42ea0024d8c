"""The Edge TPU: what its compiler maps of a model, predicted; what it made of one, read; and repairs."""

from pyquant.edgetpu.log import log, operators, reasons
from pyquant.edgetpu.parameters import parameter_bytes
from pyquant.edgetpu.predict import Prediction, Verdict, check
from pyquant.edgetpu.repair import Fixed, fix

__all__ = [
    "Fixed",
    "Prediction",
    "Verdict",
    "check",
    "fix",
    "log",
    "operators",
    "parameter_bytes",
    "reasons",
]
