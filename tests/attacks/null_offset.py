"""Opening refuses a field that is present and leads nowhere."""

from attacks.making import patched
from pyquant.errors import FormatError

opening = FormatError, r"description.*offset 0"
make = patched("<I", 0, "description")
