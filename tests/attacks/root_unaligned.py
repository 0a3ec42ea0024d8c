"""Opening refuses a root that is not aligned."""

from attacks.making import patched
from pyquant.errors import FormatError

opening = FormatError, r"not aligned"
make = patched("<I", 9, at=lambda _: 0)
