"""Opening refuses an output -1, which is only for absent inputs."""

from attacks.making import indexed
from pyquant.errors import FormatError

opening = FormatError, r"operators\[0\].outputs.*-1"
make = indexed(outputs=[-1])
