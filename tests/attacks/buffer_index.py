"""Opening refuses a buffer that is not there."""

from attacks.making import indexed
from pyquant.errors import FormatError

opening = FormatError, r"tensors\[0\].buffer"
make = indexed(buffer=5)
