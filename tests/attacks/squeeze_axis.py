"""Compiling refuses a squeeze of an axis that is not there."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import ShapeError

compiling = ShapeError, r"squeeze|dimensions"
make = single("SQUEEZE", Value((1, 2)), output=Value((2,)), squeeze_dims=[5])
