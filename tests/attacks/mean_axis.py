"""Compiling refuses a mean over an axis that is not there."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import ShapeError

compiling = ShapeError, r"found axis 2"
make = single("MEAN", Value((2, 2)), Value((1,), "int32", constant=[2]), output=Value((2,)))
