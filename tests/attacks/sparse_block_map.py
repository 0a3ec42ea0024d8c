"""Opening refuses blocks of a dimension that is not there."""

from attacks.making import sparse
from pyquant.errors import GraphError
from pyquant.wire import Record

opening = GraphError, r"block_map"
make = sparse(traversal_order=[0, 1, 2], block_map=[7], dim_metadata=[Record("DimensionMetadata", dense_size=2)] * 3)
