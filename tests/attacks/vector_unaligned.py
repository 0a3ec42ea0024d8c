"""Opening refuses int64 numbers at 4 modulo 8."""

from attacks.making import W, patched
from pyquant.errors import FormatError

opening = FormatError, r"zero_point.*not aligned"
make = patched("<I", 12, *W, "quantization", "zero_point")
