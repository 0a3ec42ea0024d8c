"""Opening refuses a vector of 4 G tables."""

from attacks.making import patched, target
from pyquant.errors import FormatError

opening = FormatError, r"buffers.*past the file"
make = patched("<I", 2**32 - 1, at=target("buffers"))
