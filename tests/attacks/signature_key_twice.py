"""Opening refuses two signatures with one key."""

from attacks.making import changed
from pyquant.errors import GraphError
from pyquant.wire import Record

opening = GraphError, r"'serve' twice"
make = changed(signature_defs=[Record("SignatureDef", signature_key="serve")] * 2)
