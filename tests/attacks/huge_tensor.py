"""Compiling refuses a tensor of more elements than kernels can count."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import RangeError

compiling = RangeError, r"past 2147483647 elements"
make = single("RELU", Value((1 << 16, 1 << 16)), output=Value((1 << 16, 1 << 16)))
