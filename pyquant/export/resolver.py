"""How TFLM's MicroMutableOpResolver calls operators: facts of tensorflow/lite/micro/micro_mutable_op_resolver.h."""

from __future__ import annotations

from pyquant import targets
from pyquant.errors import UnsupportedOp
from pyquant.graph import Model

# Builtin operators whose method is not their name in camel case, and custom ones.
_NAMES = {
    "AVERAGE_POOL_2D": "AveragePool2D",
    "BATCH_MATMUL": "BatchMatMul",
    "CONV_2D": "Conv2D",
    "CUMSUM": "CumSum",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
    "L2_POOL_2D": "L2Pool2D",
    "MAX_POOL_2D": "MaxPool2D",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
    "TFLM_DECODE": "Decode",
    "TFLite_Detection_PostProcess": "DetectionPostprocess",
    "ethos-u": "EthosU",
}


def additions(model: Model) -> list[str]:
    """The resolver's methods that register what a model uses: ["AddConv2D", ...], sorted.

    Raises UnsupportedOp that names every operator which TFLM does not have.
    """
    tflm = targets.get("tflm")
    nodes = {node.op: node for s in model.subgraphs for node in s.nodes}
    lacking = sorted(
        op
        for op, node in nodes.items()
        if (op not in (tflm.custom or ()) if node.opcode.name == "CUSTOM" else op not in tflm.versions)
    )
    if lacking:
        raise UnsupportedOp(f"TFLM has no {', '.join(lacking)}")
    return sorted(f"Add{_method(op)}" for op in nodes)


def _method(op: str) -> str:
    if op in _NAMES:
        return _NAMES[op]
    if op.startswith("Signal"):
        return op.removeprefix("Signal")
    return "".join(part.capitalize() for part in op.split("_"))
