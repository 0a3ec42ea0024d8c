"""Compiling refuses an operator without an input that it needs."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import GraphError

compiling = GraphError, r"'b' is missing"
make = single("ADD", Value((4,)), None, output=Value((4,)))
