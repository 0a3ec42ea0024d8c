"""What operators mean: one file per family, each operator one value."""

from pyquant.ops import activation as activation
from pyquant.ops import arithmetic as arithmetic
from pyquant.ops import arrange as arrange
from pyquant.ops import bidirectional as bidirectional
from pyquant.ops import binary as binary
from pyquant.ops import compare as compare
from pyquant.ops import concatenation as concatenation
from pyquant.ops import conv as conv
from pyquant.ops import create as create
from pyquant.ops import decode as decode
from pyquant.ops import detection as detection
from pyquant.ops import flow as flow
from pyquant.ops import fully_connected as fully_connected
from pyquant.ops import gather as gather
from pyquant.ops import leaky as leaky
from pyquant.ops import lstm as lstm
from pyquant.ops import matmul as matmul
from pyquant.ops import normalize as normalize
from pyquant.ops import pad as pad
from pyquant.ops import pool as pool
from pyquant.ops import quantize as quantize
from pyquant.ops import rank as rank
from pyquant.ops import reduce as reduce
from pyquant.ops import reductions as reductions
from pyquant.ops import resize as resize
from pyquant.ops import shape as shape
from pyquant.ops import signal as signal
from pyquant.ops import slices as slices
from pyquant.ops import softmax as softmax
from pyquant.ops import svdf as svdf
from pyquant.ops import transpose_conv as transpose_conv
from pyquant.ops import unary as unary
from pyquant.ops import volume as volume
from pyquant.ops.operator import NUMERICS, Call, Fixed, Kernel, Launch, Operator, PowerOfTwo, Product, SameAs, Slot
from pyquant.ops.registry import OPERATORS, find, get, register
from pyquant.ops.versions import lowest_version

__all__ = [
    "NUMERICS",
    "OPERATORS",
    "Call",
    "Fixed",
    "Kernel",
    "Launch",
    "Operator",
    "PowerOfTwo",
    "Product",
    "SameAs",
    "Slot",
    "find",
    "get",
    "lowest_version",
    "register",
]
