"""Compiling refuses a resize of an image without rows, which has nothing to read."""

from cases.case import Value

from attacks.making import single
from pyquant.errors import ShapeError

compiling = ShapeError, r"and a size"
make = single("RESIZE_BILINEAR", Value((1, 0, 4, 1)), Value((2,), "int32", constant=[4, 4]), output=Value((1, 4, 4, 1)))
