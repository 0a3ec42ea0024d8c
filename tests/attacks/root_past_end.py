"""Opening refuses a root that lies past the end."""

from attacks.making import patched
from pyquant.errors import FormatError

opening = FormatError, r"Model leads past"
make = patched("<I", 1 << 30, at=lambda _: 0)
