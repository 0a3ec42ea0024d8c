"""Compiling refuses a softmax whose beta is not a number."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import RangeError

compiling = RangeError, r"multiplier"
make = single("SOFTMAX", Value((1, 4), "int8", 0.5), output=Value((1, 4), "int8", 1 / 256, -128), beta=float("nan"))
