"""What runtimes, microcontroller libraries and compilers take: a table of targets, and what of a model each refuses."""

from pyquant.targets.table import ALIASES, TARGETS, get
from pyquant.targets.target import Gap, Problem, Target

__all__ = ["ALIASES", "TARGETS", "Gap", "Problem", "Target", "get"]
