"""The Edge TPU: what its compiler maps of a model, predicted; what it made of one, read; and repairs."""

from pyquant.edgetpu.compare import Comparison
from pyquant.edgetpu.inspect import Inspection, inspect
from pyquant.edgetpu.log import log, operators, reasons, rules
from pyquant.edgetpu.parameters import parameter_bytes
from pyquant.edgetpu.predict import Prediction, Verdict, check
from pyquant.edgetpu.recover import Recovery, recover, recovery
from pyquant.edgetpu.repair import Fixed, fix

__all__ = [
    "Comparison",
    "Fixed",
    "Inspection",
    "Prediction",
    "Recovery",
    "Verdict",
    "check",
    "fix",
    "inspect",
    "log",
    "operators",
    "parameter_bytes",
    "reasons",
    "recover",
    "recovery",
    "rules",
]
