"""Opening refuses an input that is not there."""

from attacks.making import indexed
from pyquant.errors import FormatError

opening = FormatError, r"operators\[0\].inputs.*1"
make = indexed(inputs=[1])
