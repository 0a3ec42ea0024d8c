"""Inspecting refuses a package whose executables are the same bytes a thousand times."""

import struct

import numpy as np
from compiled import flatbuffer
from reader import root

from attacks.making import for_device
from pyquant.errors import FormatError
from pyquant.wire import Record


def repeated(package: Record) -> Record:
    several = Record("MultiExecutable", serialized_executables=[bytes(100), *[b""] * 999])
    data = bytearray(flatbuffer(several))
    vector = root(bytes(data)).Vector(4)
    (first,) = struct.unpack_from("<I", data, vector)
    for i in range(1000):
        struct.pack_into("<I", data, vector + 4 * i, first - 4 * i)
    return package.replace(serialized_multi_executable=np.frombuffer(bytes(data), np.uint8))


inspecting = FormatError, r"share"
make = for_device(package=repeated)
