"""Compiling refuses an empty tensor with other dimensions that no array has."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import RangeError

compiling = RangeError, r"past 2147483647 elements"
make = single("RELU", Value((1 << 30, 1 << 30, 0)), output=Value((1 << 30, 1 << 30, 0)))
