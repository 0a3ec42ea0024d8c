"""Inspect, rewrite, quantize, run and validate `.tflite` models without TensorFlow."""

from pyquant.errors import (
    DataError,
    FileError,
    FileExists,
    FormatError,
    GraphError,
    OracleError,
    PyQuantError,
    RangeError,
    RecipeError,
    ShapeError,
    UnsupportedOp,
)
from pyquant.graph import (
    Builder,
    Model,
    Node,
    Quantization,
    Subgraph,
    Tensor,
    add_signature,
    associated_files,
    dedupe,
    extract,
    merge,
    open,
    rename,
    reorder,
    split,
    strip,
    with_associated_files,
)
from pyquant.lazy import lazy
from pyquant.run import Interpreter, Limits, Plan, compile, interpret, timeline

__version__ = "0.1.0"

# What else is public, by the package that holds it, imported on first use. Type checkers read `__init__.pyi`.
__all__ = lazy(
    __name__,
    {
        "pyquant": "edgetpu",
        "pyquant.advise": "pipeline",
        "pyquant.calibrate": "Images Range calibrate samples",
        "pyquant.compress": (
            "ChannelGroup channel_groups cluster compress_lut decode_sparse decompress_lut encode_sparse prune "
            "prune_channels size"
        ),
        "pyquant.export": "export_c",
        "pyquant.lint": "Finding lint repair",
        "pyquant.quantize": "SCHEMES Assignments Recipe Rule apply assign dequantize quantize retype",
        "pyquant.rewrite": "batch compat fold fuse io_type resize",
        "pyquant.see": "Diff describe diff",
        "pyquant.validate": "accuracy validate",
    },
)
