"""The model that people hold, lossless to and from wire records; the edits that passes need; a builder; a summary."""

from pyquant.graph.builder import Builder
from pyquant.graph.check import check
from pyquant.graph.cut import extract, split
from pyquant.graph.file import dump, load, open
from pyquant.graph.merge import merge
from pyquant.graph.model import Buffer, Model, Node, OpCode, Quantization, Signature, Subgraph, Tensor
from pyquant.graph.names import rename, reorder
from pyquant.graph.strip import dedupe, strip

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
    "dedupe",
    "dump",
    "extract",
    "load",
    "merge",
    "open",
    "rename",
    "reorder",
    "split",
    "strip",
]
