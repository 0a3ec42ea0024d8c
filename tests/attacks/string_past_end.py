"""Opening refuses a string that ends past the file."""

from attacks.making import patched, target
from pyquant.errors import FormatError

opening = FormatError, r"description.*past the file"
make = patched("<I", 2**31, at=target("description"))
