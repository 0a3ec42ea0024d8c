"""Opening refuses data that lies outside the flatbuffer and the file."""

from attacks.making import model
from pyquant.errors import FormatError
from pyquant.wire import Record

opening = FormatError, r"buffers\[0\].*past the file"
make = model(buffers=[Record("Buffer", offset=1 << 40, size=8)])
