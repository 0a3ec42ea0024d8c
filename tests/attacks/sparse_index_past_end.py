"""Opening refuses indices outside the dimension."""

from attacks.making import sparse, vectors
from pyquant.errors import GraphError

opening = GraphError, r"not all in 0\.\.3"
make = sparse("dim_metadata", 1, **vectors([0, 2, 3], [0, 200, 1]))
