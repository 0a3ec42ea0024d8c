"""What operators mean: one file per family, each operator one value."""

from pyquant.ops import conv as conv
from pyquant.ops import fully_connected as fully_connected
from pyquant.ops.operator import Call, Fixed, Kernel, Launch, Operator, Product, SameAs, Slot
from pyquant.ops.registry import OPERATORS, find, get, register

__all__ = [
    "OPERATORS",
    "Call",
    "Fixed",
    "Kernel",
    "Launch",
    "Operator",
    "Product",
    "SameAs",
    "Slot",
    "find",
    "get",
    "register",
]
