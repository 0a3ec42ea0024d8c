"""Compiling refuses a dilation that takes the window past what int32 counts."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import ShapeError

compiling = ShapeError, r"too large"
make = single(
    "CONV_2D",
    Value((1, 4, 4, 1)),
    Value((1, 2, 2, 1), constant=True),
    output=Value((1, 4, 4, 1)),
    stride_h=1,
    stride_w=1,
    dilation_h_factor=2**31 - 1,
)
