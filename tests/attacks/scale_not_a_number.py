"""Compiling refuses a scale that is not a number."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import GraphError

compiling = GraphError, r"expected a positive number"
make = single("RELU", Value((4,), "int8", float("nan")), output=Value((4,), "int8", 0.5))
