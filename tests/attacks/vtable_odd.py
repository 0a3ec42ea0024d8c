"""Opening refuses a vtable of three bytes."""

from attacks.making import patched, vtable
from pyquant.errors import FormatError

opening = FormatError, r"vtable of 3 bytes"
make = patched("<H", 3, at=vtable)
