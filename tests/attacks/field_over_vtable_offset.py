"""Opening refuses a field that lies over the offset of the vtable."""

from attacks.making import patched, vtable
from pyquant.errors import FormatError

opening = FormatError, r"another field"
make = patched("<H", 2, at=lambda data: vtable(data, 2))
