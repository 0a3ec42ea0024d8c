"""Opening refuses two fields at one place."""

from attacks.making import patched, vtable
from pyquant.errors import FormatError

opening = FormatError, r"another field"
make = patched("<H", 4, at=lambda data: vtable(data, 3))
