"""Opening refuses 100000 operators that one table of 4 bytes stands for."""

from attacks.making import repeated, written
from pyquant.errors import FormatError
from pyquant.wire import Record


def make() -> bytes:
    data = bytearray(written(Record("Model", subgraphs=[Record("SubGraph", operators=[Record("Operator")])])))
    repeated(data, 100_000, "subgraphs", 0, "operators")
    return bytes(data)


opening = FormatError, r"share"
