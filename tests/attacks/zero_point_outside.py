"""Compiling refuses a zero point outside its type."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import GraphError

compiling = GraphError, r"zero point outside"
make = single("RELU", Value((4,), "int8", 0.5, 1 << 40), output=Value((4,), "int8", 0.5))
