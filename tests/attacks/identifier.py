"""Opening refuses another kind of flatbuffer."""

from attacks.making import patched
from pyquant.errors import FormatError

opening = FormatError, r"not a .tflite file"
make = patched("<I", 0, at=lambda _: 4)
