"""Opening refuses a vtable of 8000 unknown slots that thousands of tables share."""

import struct

from reader import place

from attacks.making import repeated, written
from pyquant.errors import FormatError
from pyquant.wire import Record


def make() -> bytes:
    data = bytearray(written(Record("Model", metadata=[Record("Metadata", name="m")])))
    repeated(data, 5000, "metadata")
    table = len(data) + -len(data) % 4
    data += bytes(table - len(data)) + struct.pack("<iI", -8, 0) + struct.pack("<8004H", 16008, 8, 0, 0, *[4] * 8000)
    first = place(bytes(data), "metadata")
    vector = first + struct.unpack_from("<I", data, first)[0]
    for i in range(5000):
        struct.pack_into("<I", data, vector + 4 + 4 * i, table - (vector + 4 + 4 * i))
    return bytes(data)


opening = FormatError, r"share"
