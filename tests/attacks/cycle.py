"""Opening refuses two operators that wait for each other."""

from attacks.making import chain
from pyquant.errors import GraphError

opening = GraphError, r"reads 'c', which no operator before it writes"
make = chain(([2], [1]), ([1], [2]))
