"""Compiling refuses an activation with scale 0."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import GraphError

compiling = GraphError, r"expected a positive number"
make = single("RELU", Value((4,), "int8", 0.0), output=Value((4,), "int8", 0.5))
