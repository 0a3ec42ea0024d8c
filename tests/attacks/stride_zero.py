"""Compiling refuses a stride of 0."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import ShapeError

compiling = ShapeError, r"must be positive"
make = single(
    "MAX_POOL_2D",
    Value((1, 4, 4, 1)),
    output=Value((1, 4, 4, 1)),
    stride_h=0,
    stride_w=1,
    filter_height=1,
    filter_width=1,
)
