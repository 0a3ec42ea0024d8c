"""Inspect, rewrite, quantize, run and validate `.tflite` models without TensorFlow."""

from pyquant.calibrate import Images, Range, calibrate, samples
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
from pyquant.graph import Builder, Model, Node, Quantization, Subgraph, Tensor, open
from pyquant.quantize import SCHEMES, Assignments, Recipe, apply, assign, dequantize, quantize, retype
from pyquant.rewrite import compat, fold, io_type
from pyquant.run import Plan, compile, interpret
from pyquant.see import Diff, describe, diff
from pyquant.validate import accuracy, validate

__version__ = "0.1.0"
__all__ = [
    "SCHEMES",
    "Assignments",
    "Builder",
    "DataError",
    "Diff",
    "FileError",
    "FileExists",
    "FormatError",
    "GraphError",
    "Images",
    "Model",
    "Node",
    "OracleError",
    "Plan",
    "PyQuantError",
    "Quantization",
    "Range",
    "RangeError",
    "Recipe",
    "RecipeError",
    "ShapeError",
    "Subgraph",
    "Tensor",
    "UnsupportedOp",
    "accuracy",
    "apply",
    "assign",
    "calibrate",
    "compat",
    "compile",
    "dequantize",
    "describe",
    "diff",
    "fold",
    "interpret",
    "io_type",
    "open",
    "quantize",
    "retype",
    "samples",
    "validate",
]
