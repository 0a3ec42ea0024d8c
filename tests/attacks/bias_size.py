"""Compiling refuses a bias of fewer elements than channels."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import ShapeError

compiling = ShapeError, r"bias"
make = single(
    "FULLY_CONNECTED", Value((1, 4)), Value((3, 4), constant=True), Value((1,), constant=True), output=Value((1, 3))
)
