"""Compiling refuses scales whose ratio no multiplier holds."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import RangeError

compiling = RangeError, r"multiplier"
make = single("RELU", Value((4,), "int8", 1e30), output=Value((4,), "int8", 1e-30))
