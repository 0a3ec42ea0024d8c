"""Compiling refuses an integer mean of no elements, which would divide by zero."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import ShapeError

compiling = ShapeError, r"no elements"
make = single("MEAN", Value((0, 2), "int8", 0.5), Value((1,), "int32", constant=[0]), output=Value((2,), "int8", 0.5))
