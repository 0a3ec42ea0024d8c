"""Opening refuses sparse metadata of fewer levels than dimensions."""

from attacks.making import sparse
from pyquant.errors import GraphError

opening = GraphError, r"levels"
make = sparse(dim_metadata=[])
