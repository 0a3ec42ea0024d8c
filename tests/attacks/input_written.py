"""Opening refuses an operator that writes an input."""

from attacks.making import chain
from pyquant.errors import GraphError

opening = GraphError, r"writes 'a'"
make = chain(([0], [0]))
