"""Opening refuses segments that go back."""

from attacks.making import sparse, vectors
from pyquant.errors import GraphError

opening = GraphError, r"decrease"
make = sparse("dim_metadata", 1, **vectors([0, 9, 3], [0, 2, 1]))
