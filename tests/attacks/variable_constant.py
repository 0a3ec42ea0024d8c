"""Opening refuses a variable that has a constant."""

from attacks.making import W, changed
from pyquant.errors import GraphError

opening = GraphError, r"found a variable with a buffer"
make = changed(*W, is_variable=True)
