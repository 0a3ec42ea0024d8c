"""Opening refuses custom options that lie past the end of the file."""

from attacks.making import NODE, changed
from pyquant.errors import FormatError

opening = FormatError, r"operators\[0\].*past the file"
make = changed(*NODE, large_custom_options_offset=1 << 33, large_custom_options_size=1)
