"""Compiling refuses a reshape to 100000 dimensions, whose product would take minutes."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import ShapeError

compiling = ShapeError, r"100000 dimensions"
make = single("RESHAPE", Value((2, 2)), Value((100_000,), "int32", constant=[2**31 - 1] * 100_000), output=Value((4,)))
