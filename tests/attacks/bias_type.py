"""Compiling refuses a bias of complex numbers."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import GraphError

compiling = GraphError, r"expected floats"
make = single(
    "FULLY_CONNECTED",
    Value((1, 4)),
    Value((3, 4), constant=True),
    Value((3,), "complex64", constant=[1, 2, 3]),
    output=Value((1, 3)),
)
