"""Opening refuses subgraphs that call each other in a circle."""

from attacks.making import calling
from pyquant.errors import GraphError

opening = GraphError, r"calls itself"
make = calling(1, 2, 1)
