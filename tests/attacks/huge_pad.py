"""Compiling refuses a padding of 2 GiB."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import RangeError

compiling = RangeError, r"bytes, the limit is"
make = single(
    "PAD", Value((1, 1)), Value((2, 2), "int32", constant=[[0, 0], [0, 1 << 29]]), output=Value((1, 1 + (1 << 29)))
)
