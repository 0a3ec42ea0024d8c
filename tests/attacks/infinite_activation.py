"""Running quantizes infinity and what is not a number without converting them to integers."""

import numpy as np
from cases.case import Value

from attacks.making import single

running = [np.array([[np.inf, -np.inf, 1, 2], [np.nan, 0, 0, 1]], np.float32)]
make = single(
    "FULLY_CONNECTED",
    Value((2, 4)),
    Value((3, 4), "int8", 0.5, constant=True),
    output=Value((2, 3)),
    asymmetric_quantize_inputs=True,
)
