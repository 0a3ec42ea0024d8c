"""Compiling refuses a filter without channels, which would divide by zero."""

import numpy as np
from cases.case import Value

from attacks.making import single
from pyquant.errors import ShapeError

compiling = ShapeError, r"groups"
make = single(
    "CONV_2D",
    Value((1, 4, 4, 3)),
    Value((1, 1, 1, 0), constant=np.zeros((1, 1, 1, 0))),
    output=Value((1, 4, 4, 1)),
    stride_h=1,
    stride_w=1,
)
