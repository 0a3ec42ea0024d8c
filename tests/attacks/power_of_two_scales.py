"""Compiling refuses a sum that shifts one term by 149 bits, for scales that are far powers of two."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import RangeError

compiling = RangeError, r"more than 31 bits"
make = single(
    "ADD",
    Value((4,), "int16", 1.0),
    Value((4,), "int16", 2.0**-149),
    output=Value((4,), "int16", 1.0),
    pot_scale_int16=True,
)
