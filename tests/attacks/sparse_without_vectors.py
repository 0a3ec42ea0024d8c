"""Opening refuses a sparse level without indices."""

from attacks.making import sparse
from pyquant.errors import GraphError

opening = GraphError, r"array_indices is missing"
make = sparse("dim_metadata", 1, array_indices=None)
