"""Compiling refuses an output declared larger than it is made."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import ShapeError

compiling = ShapeError, r"is declared"
make = single("RELU", Value((2, 2)), output=Value((2, 200)))
