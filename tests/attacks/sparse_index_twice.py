"""Opening refuses one place of a row twice."""

from attacks.making import sparse, vectors
from pyquant.errors import GraphError

opening = GraphError, r"do not increase"
make = sparse("dim_metadata", 1, **vectors([0, 2, 3], [2, 2, 1]))
