"""Inspecting refuses numbers in place of further packages."""

from attacks.making import for_device_with
from pyquant.errors import GraphError

inspecting = GraphError, r"option '7' has numbers, expected packages"
make = for_device_with({"4": bytes(4) + b"DWN1", "7": [1, 2]})
