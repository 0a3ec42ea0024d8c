"""Running stays inside int32: the sum of 70000 equal powers is more than 2**31."""

import numpy as np
from cases.case import Value

from attacks.making import single

running = [np.zeros((1, 70_000), np.int16)]
make = single("SOFTMAX", Value((1, 70_000), "int16", 0.5), output=Value((1, 70_000), "int16", 1 / 32768), beta=1.0)
