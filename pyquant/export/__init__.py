"""Models as source code, for microcontrollers."""

from pyquant.export.c import export_c
from pyquant.export.resolver import additions

__all__ = ["additions", "export_c"]
