"""Opening refuses a table that ends before its fields do."""

from attacks.making import patched, vtable
from pyquant.errors import FormatError

opening = FormatError, r"fields need"
make = patched("<H", 4, at=lambda data: vtable(data, 1))
