"""Compiling refuses an addition of two types."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import GraphError

compiling = GraphError, r"expected one type"
make = single("ADD", Value((4,)), Value((4,), "complex64"), output=Value((4,)))
