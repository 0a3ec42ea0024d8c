"""Opening refuses a million tensors that a few kilobytes unfold into."""

from attacks.making import repeated, written
from pyquant.errors import FormatError
from pyquant.wire import Record


def make() -> bytes:
    """1000 references to one subgraph with 1000 references to one tensor."""
    data = bytearray(written(Record("Model", subgraphs=[Record("SubGraph", tensors=[Record("Tensor", name="t")])])))
    repeated(data, 1000, "subgraphs")
    repeated(data, 1000, "subgraphs", 0, "tensors")
    return bytes(data)


opening = FormatError, r"share"
