"""Proof that results are right: comparison with other runtimes and other models."""

from pyquant.validate.compare import accuracy, validate
from pyquant.validate.oracle import RUNTIMES, Oracle
from pyquant.validate.report import Divergence, OwnDifference, Report, TensorReport

__all__ = ["RUNTIMES", "Divergence", "Oracle", "OwnDifference", "Report", "TensorReport", "accuracy", "validate"]
