"""Opening refuses a tensor that is an input twice."""

from attacks.making import chain
from pyquant.errors import GraphError

opening = GraphError, r"twice"
make = chain(([0], [2]), inputs=[0, 0])
