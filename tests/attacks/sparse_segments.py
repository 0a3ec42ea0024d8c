"""Opening refuses segments of another number than there are rows."""

from attacks.making import sparse, vectors
from pyquant.errors import GraphError

opening = GraphError, r"found 2 segments, expected 3"
make = sparse("dim_metadata", 1, **vectors([0, 3], [0, 2, 1]))
