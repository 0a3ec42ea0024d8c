"""Compiling refuses 16 million windows of 16 million pixels."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import RangeError

compiling = RangeError, r"operations, the limit is"
make = single(
    "MAX_POOL_2D",
    Value((1, 4000, 4000, 1)),
    output=Value((1, 4000, 4000, 1)),
    stride_h=1,
    stride_w=1,
    filter_height=4000,
    filter_width=4000,
)
