"""Opening refuses a constant of 2**62 elements in 8 bytes."""

from attacks.making import W, changed
from pyquant.errors import GraphError

opening = GraphError, r"found a buffer of 8 bytes"
make = changed(*W, shape=[1 << 31 - 1, 1 << 31 - 1], quantization=None)
