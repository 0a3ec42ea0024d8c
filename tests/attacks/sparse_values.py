"""Opening refuses fewer values than the sparse metadata counts."""

from attacks.making import sparse
from pyquant.errors import GraphError

opening = GraphError, r"expected 3 for 3 sparse values"
make = sparse(size=2)
