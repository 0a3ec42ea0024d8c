"""Opening refuses blocks of 0 values."""

from attacks.making import sparse
from pyquant.errors import GraphError
from pyquant.wire import Record

opening = GraphError, r"blocks of 0"
make = sparse(traversal_order=[0, 1, 2], block_map=[1], dim_metadata=[Record("DimensionMetadata", dense_size=0)] * 3)
