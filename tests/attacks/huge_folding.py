"""Compiling refuses constants whose sum, to be computed now, is 4 GiB."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import RangeError

compiling = RangeError, r"bytes, the limit is"
make = single(
    "ADD",
    Value((1 << 15, 1), constant=True),
    Value((1, 1 << 15), constant=True),
    output=Value((1 << 15, 1 << 15)),
)
