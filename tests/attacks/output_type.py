"""Compiling refuses a reshape to another type of another width."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import GraphError

compiling = GraphError, r"expected float32"
make = single("RESHAPE", Value((4,)), Value((1,), "int32", constant=[4]), output=Value((4,), "int64"))
