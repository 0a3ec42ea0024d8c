"""Inspecting refuses a layer of fewer than no elements."""

from attacks.making import for_device
from pyquant.errors import FormatError
from pyquant.wire import Record

inspecting = FormatError, r"layer 'x': found shape \(-1, 0, 0\)"
make = for_device(executables=lambda parts: [parts[0].replace(input_layers=[Record("Layer", name="x", y_dim=-1)])])
