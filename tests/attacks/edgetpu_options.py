"""Inspecting refuses options of the Edge TPU's operator that are no map."""

from attacks.making import for_device_with
from pyquant.errors import GraphError

inspecting = GraphError, r"no FlexBuffers map"
make = for_device_with(b"\x01\xff\x24\x01")
