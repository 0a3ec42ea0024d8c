"""The model that people hold, lossless to and from wire records; the edits that passes need; a builder; a summary."""

from pyquant.graph.builder import Builder
from pyquant.graph.check import check
from pyquant.graph.file import dump, load, open
from pyquant.graph.model import Buffer, Model, Node, OpCode, Quantization, Signature, Subgraph, Tensor

__all__ = [
    "Buffer",
    "Builder",
    "Model",
    "Node",
    "OpCode",
    "Quantization",
    "Signature",
    "Subgraph",
    "Tensor",
    "check",
    "dump",
    "load",
    "open",
]
