"""Inspecting refuses packages within packages of single chips, which could go on without end."""

import numpy as np
from compiled import flatbuffer

from attacks.making import for_device
from pyquant.errors import FormatError
from pyquant.wire import Record


def around(package: Record) -> Record:
    """A package of the packages of chips."""
    inner = Record("SerializedPackage", serialized_package=np.frombuffer(flatbuffer(package), np.uint8))
    return Record("Package", virtual_chip_id=-1, multi_chip_package=[inner])


inspecting = FormatError, r"a single chip has packages of other chips"
make = for_device(package=lambda package: around(around(package)))
