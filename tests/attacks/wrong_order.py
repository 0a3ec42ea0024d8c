"""Opening refuses an operator before the one whose output it reads."""

from attacks.making import chain
from pyquant.errors import GraphError

opening = GraphError, r"reads 'b'"
make = chain(([1], [2]), ([0], [1]))
