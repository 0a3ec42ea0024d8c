"""Opening refuses a buffer with data both in and outside the flatbuffer."""

from attacks.making import model
from pyquant.errors import FormatError
from pyquant.wire import Record

opening = FormatError, r"both inline and outside"
make = model(buffers=[Record("Buffer", data=[1, 2], offset=8, size=4)])
