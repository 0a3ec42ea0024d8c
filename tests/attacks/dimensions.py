"""Opening refuses a tensor of 33 dimensions, which no array has."""

from attacks.making import changed
from pyquant.errors import GraphError

opening = GraphError, r"33 dimensions, expected at most 32"
make = changed("subgraphs", 0, "tensors", 0, shape=[1] * 33)
