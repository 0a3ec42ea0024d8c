"""Opening refuses a vector of 4 G numbers."""

from attacks.making import W, patched, target
from pyquant.errors import FormatError

opening = FormatError, r"tensors\[1\].shape.*past the file"
make = patched("<I", 2**32 - 1, at=target(*W, "shape"))
