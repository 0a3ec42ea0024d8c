"""Compiling refuses a row and a column whose sum is 4 GiB."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import RangeError

compiling = RangeError, r"bytes, the limit is"
make = single("ADD", Value((1 << 15, 1)), Value((1, 1 << 15)), output=Value((1 << 15, 1 << 15)))
