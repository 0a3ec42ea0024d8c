"""Opening refuses an operator code that is not there."""

from attacks.making import indexed
from pyquant.errors import FormatError

opening = FormatError, r"opcode_index"
make = indexed(opcode_index=7)
