"""Compiling refuses a padding below 0."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import ShapeError

compiling = ShapeError, r"not negative"
make = single("PAD", Value((4, 4)), Value((2, 2), "int32", constant=[[0, 0], [-1, 0]]), output=Value((4, 3)))
