"""Compiling refuses 4 GiB of memory that a file of some hundred bytes asks for."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import RangeError

compiling = RangeError, r"bytes, the limit is"
make = single("RELU", Value((1 << 15, 1 << 14)), output=Value((1 << 15, 1 << 14)))
