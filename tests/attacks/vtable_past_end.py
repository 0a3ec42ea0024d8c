"""Opening refuses a vtable that ends past the file."""

from attacks.making import patched, vtable
from pyquant.errors import FormatError

opening = FormatError, r"past the file"
make = patched("<H", 65534, at=vtable)
