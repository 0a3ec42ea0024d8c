"""Inspecting refuses a package of nothing but its identifier."""

from attacks.making import for_device_with
from pyquant.errors import FormatError

inspecting = FormatError, r"leads past the file"
make = for_device_with({"4": b"\xff\xff\xff\x7fDWN1"})
