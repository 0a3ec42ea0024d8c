"""Opening refuses an operator that writes a constant."""

from attacks.making import NODE, changed
from pyquant.errors import GraphError

opening = GraphError, r"writes 'w'"
make = changed(*NODE, outputs=[1])
