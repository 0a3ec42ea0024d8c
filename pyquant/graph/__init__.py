"""The model that people hold, lossless to and from wire records; the edits that passes need; a builder; a summary."""

from pyquant.graph.associated import associated_files, with_associated_files
from pyquant.graph.builder import Builder
from pyquant.graph.check import check
from pyquant.graph.cut import extract, split
from pyquant.graph.file import dump, load, open, save
from pyquant.graph.merge import merge
from pyquant.graph.model import Buffer, Model, Node, OpCode, Quantization, Signature, Subgraph, Tensor
from pyquant.graph.names import add_signature, rename, reorder
from pyquant.graph.strip import dedupe, strip
from pyquant.graph.warnings import FileWarning

__all__ = [
    "Buffer",
    "Builder",
    "FileWarning",
    "Model",
    "Node",
    "OpCode",
    "Quantization",
    "Signature",
    "Subgraph",
    "Tensor",
    "add_signature",
    "associated_files",
    "check",
    "dedupe",
    "dump",
    "extract",
    "load",
    "merge",
    "open",
    "rename",
    "reorder",
    "save",
    "split",
    "strip",
    "with_associated_files",
]
