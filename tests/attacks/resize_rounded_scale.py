"""Running reads only what is there: a scale rounded up leads the last rows of a resize past the image."""

import numpy as np
from cases.case import Value

from attacks.making import single

running = [np.array([1, 2, 3], np.int8).reshape(1, 3, 1, 1)]
make = single(
    "RESIZE_BILINEAR",
    Value((1, 3, 1, 1), "int8", 0.5),
    Value((2,), "int32", constant=[4000, 1]),
    output=Value((1, 4000, 1, 1), "int8", 0.5),
)
