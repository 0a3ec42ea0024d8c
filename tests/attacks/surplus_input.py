"""Compiling refuses an operator with more inputs than it takes."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import GraphError

compiling = GraphError, r"at most 1"
make = single("RELU", Value((4,)), Value((4,)), output=Value((4,)))
