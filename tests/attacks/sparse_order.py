"""Opening refuses a traversal order that names one dimension twice."""

from attacks.making import sparse
from pyquant.errors import GraphError

opening = GraphError, r"traversal_order"
make = sparse(traversal_order=[0, 0])
