"""Opening refuses metadata in a buffer that is not there."""

from attacks.making import changed
from pyquant.errors import FormatError
from pyquant.wire import Record

opening = FormatError, r"metadata\[0\].buffer"
make = changed(metadata=[Record("Metadata", name="m", buffer=99)])
