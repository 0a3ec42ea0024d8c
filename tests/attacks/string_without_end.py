"""Opening refuses a string that does not end in NUL."""

from attacks.making import patched, target
from pyquant.errors import FormatError

opening = FormatError, r"description.*NUL"
make = patched("<I", 3, at=target("description"))
