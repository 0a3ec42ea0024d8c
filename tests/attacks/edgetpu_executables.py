"""Inspecting refuses two executables of one type in a package."""

from attacks.making import for_device
from pyquant.errors import FormatError

inspecting = FormatError, r"execution only, execution only"
make = for_device(executables=lambda parts: [parts[0], parts[0]])
