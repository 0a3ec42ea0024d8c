"""Opening refuses a dense level of another size than its dimension."""

from attacks.making import sparse
from pyquant.errors import GraphError

opening = GraphError, r"dense_size"
make = sparse("dim_metadata", 0, dense_size=1 << 30)
