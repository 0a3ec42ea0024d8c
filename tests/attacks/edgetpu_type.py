"""Inspecting refuses an executable of a type that is not there."""

from attacks.making import for_device
from pyquant.errors import FormatError

inspecting = FormatError, r"executable type: found 7"
make = for_device(executables=lambda parts: [parts[0].replace(type=7)])
