"""Opening refuses an operator with one output twice."""

from attacks.making import chain
from pyquant.errors import GraphError

opening = GraphError, r"writes 'c'"
make = chain(([0], [2, 2]))
