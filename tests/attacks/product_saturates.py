"""Running stays inside int32: a product times the largest multiplier, plus a zero point."""

import numpy as np
from cases.case import Value

from attacks.making import single

running = [np.arange(-128, 128).astype(np.int8)] * 2
make = single(
    "MUL",
    Value((256,), "int8", 1e4, -128),
    Value((256,), "int8", 1e4, -128),
    output=Value((256,), "int8", 0.2, 127),
)
