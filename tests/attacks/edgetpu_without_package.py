"""Inspecting refuses options of the Edge TPU's operator without a package."""

from attacks.making import for_device_with
from pyquant.errors import GraphError

inspecting = GraphError, r"have no '4'"
make = for_device_with({"5": -1})
