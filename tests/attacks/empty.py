"""Opening refuses a file of no bytes."""

from pyquant.errors import FormatError

opening = FormatError, r"not a .tflite file"
make = bytes
