"""Opening refuses a constant of fewer bytes than its shape and type need."""

from attacks.making import W, changed
from pyquant.errors import GraphError

opening = GraphError, r"found a buffer of 8 bytes, expected 10"
make = changed(*W, shape=[2, 5])
