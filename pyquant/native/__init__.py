"""The C side as Python sees it; nothing above knows ffi or lib."""

from pyquant.native.arena import place_in_order
from pyquant.native.codes import magnitudes, round_codes
from pyquant.native.kmeans import partitions
from pyquant.native.libm import libm
from pyquant.native.multiplier import (
    exp_table,
    quantize_multipliers,
    real_multipliers,
    rescaling,
    scales_are_sound,
    scales_fault,
)
from pyquant.native.params import Packer, Params
from pyquant.native.plan import Piece, Plan, PlannedStep, Session
from pyquant.native.table import Row, isas, rows, rows_of

__all__ = [
    "Packer",
    "Params",
    "Piece",
    "Plan",
    "PlannedStep",
    "Row",
    "Session",
    "exp_table",
    "isas",
    "libm",
    "magnitudes",
    "partitions",
    "place_in_order",
    "quantize_multipliers",
    "real_multipliers",
    "rescaling",
    "round_codes",
    "rows",
    "rows_of",
    "scales_are_sound",
    "scales_fault",
]
