"""Compiling refuses float weights for integers."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import GraphError

compiling = GraphError, r"expected integers"
make = single(
    "FULLY_CONNECTED",
    Value((1, 4), "int8", 0.5),
    Value((3, 4), constant=True),
    output=Value((1, 3), "int8", 0.5),
)
