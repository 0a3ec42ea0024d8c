"""Running stays inside int32: the sum of 8192 equal powers is 2**32."""

import numpy as np
from cases.case import Value

from attacks.making import single

running = [np.zeros((1, 8192), np.int8)]
make = single(
    "SOFTMAX",
    Value((1, 8192), "int8", 0.5),
    output=Value((1, 8192), "int8", 1 / 256, -128),
    beta=1.0,
)
