"""Opening refuses an outside range whose end wraps around 2**64."""

from attacks.making import model
from pyquant.errors import FormatError
from pyquant.wire import Record

opening = FormatError, r"buffers\[0\].*past the file"
make = model(buffers=[Record("Buffer", offset=2**64 - 8, size=16)])
