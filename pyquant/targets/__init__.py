"""What runtimes, microcontroller libraries and compilers take: a table of targets, and what of a model each refuses."""

from pyquant.targets.edgetpu import beside_device
from pyquant.targets.table import ALIASES, TARGETS, get
from pyquant.targets.target import Gap, Problem, Target
from pyquant.targets.tflite import LITERT_2_3, TFLITE_RUNTIME_2_14

__all__ = [
    "ALIASES",
    "LITERT_2_3",
    "TARGETS",
    "TFLITE_RUNTIME_2_14",
    "Gap",
    "Problem",
    "Target",
    "beside_device",
    "get",
]
