"""Compiling refuses a concatenation along an axis that is not there."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import ShapeError

compiling = ShapeError, r"axis -3"
make = single("CONCATENATION", Value((2, 2)), Value((2, 2)), output=Value((4, 2)), axis=-3)
