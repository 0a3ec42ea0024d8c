"""Opening refuses a subgraph that calls itself."""

from attacks.making import calling
from pyquant.errors import GraphError

opening = GraphError, r"calls itself"
make = calling(0)
