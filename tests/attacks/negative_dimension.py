"""Opening refuses a constant with a dimension below 0."""

from attacks.making import W, changed
from pyquant.errors import GraphError

opening = GraphError, r"no dimension below 0"
make = changed(*W, shape=[-2, -4], quantization=None)
