"""Opening refuses a vtable that lies before the file."""

from reader import root

from attacks.making import patched
from pyquant.errors import FormatError

opening = FormatError, r"vtable"
make = patched("<i", 1 << 30, at=lambda data: root(data).Pos)
