"""Compiling refuses a reshape to more elements than there are."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import ShapeError

compiling = ShapeError, r"cannot become"
make = single("RESHAPE", Value((2, 2)), Value((2,), "int32", constant=[4, 1000]), output=Value((4, 1000)))
