"""Compiling refuses a filter that does not divide the channels."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import ShapeError

compiling = ShapeError, r"groups"
make = single(
    "CONV_2D",
    Value((1, 4, 4, 3)),
    Value((1, 1, 1, 2), constant=True),
    output=Value((1, 4, 4, 1)),
    stride_h=1,
    stride_w=1,
)
