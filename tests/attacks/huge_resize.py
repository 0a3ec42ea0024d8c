"""Compiling refuses an image that grows to 3 GiB."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import RangeError

compiling = RangeError, r"bytes, the limit is"
make = single(
    "RESIZE_BILINEAR",
    Value((1, 1, 1, 1)),
    Value((2,), "int32", constant=[1 << 15, 24000]),
    output=Value((1, 1 << 15, 24000, 1)),
)
