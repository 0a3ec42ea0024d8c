"""Opening refuses two operators with one output."""

from attacks.making import chain
from pyquant.errors import GraphError

opening = GraphError, r"writes 'c'"
make = chain(([0], [2]), ([0], [2]))
