"""Compiled files as the Edge TPU compiler writes them, made of small models."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import numpy as np
from flatbuffers import flexbuffers

from pyquant.edgetpu.multipliers import BIT, SET
from pyquant.edgetpu.package import CUSTOM_OP, IDENTIFIER
from pyquant.edgetpu.parameters import ORDERS, constants_of, encode, is_decoded
from pyquant.graph import Builder, Model, Node, Quantization, Tensor
from pyquant.ops.build import add
from pyquant.wire import Record
from pyquant.wire import encode as written

Change = Callable[[Record], Record]
Parts = Callable[[list[Record]], list[Record]]


def model(dtype: str = "int8", seed: int = 0, inputs: int = 5, outputs: int = 70) -> Model:
    """Two convolutions, a depthwise one, a fully connected layer and an ABS. int8: scales of their own for outputs."""
    rng, b = np.random.default_rng(seed), Builder()
    x = b.input("x", (1, 6, 6, inputs), dtype, Quantization.of(0.5, 3))
    x = weighted(b, rng, "CONV_2D", x, (20, 3, 3, inputs), "stem", padding="SAME", stride_h=1, stride_w=1)
    x = weighted(b, rng, "DEPTHWISE_CONV_2D", x, (1, 3, 3, 20), "depthwise", padding="SAME", stride_h=2, stride_w=2)
    x = weighted(b, rng, "CONV_2D", x, (outputs, 1, 1, 20), "pointwise", padding="SAME", stride_h=1, stride_w=1)
    flat = add(b, "RESHAPE", [x, b.constant("shape", np.int32([1, 9 * outputs]))], "flat")
    flat.quantization = x.quantization
    x = weighted(b, rng, "FULLY_CONNECTED", flat, (1, 9 * outputs), "logit")
    return b.model([add(b, "ABS", [x], "y")])


def weighted(
    b: Builder, rng: np.random.Generator, op: str, x: Tensor, shape: tuple[int, ...], name: str, **options: Any
) -> Tensor:
    """A layer of random codes; a bias of zeros is the depthwise one's."""
    kind, axis = x.dtype.numpy, 3 if shape[0] == 1 and len(shape) == 4 else 0
    assert kind is not None
    count, info = shape[axis], np.iinfo(kind)
    scales = rng.uniform(0.01, 0.02, count if kind == np.int8 else 1).astype(np.float32)
    codes = rng.integers(max(info.min, -127), info.max, shape, endpoint=True).astype(kind)
    w = b.constant(f"{name}/w", codes, quantization=Quantization.of(scales, 0 if kind == np.int8 else 131, axis))
    values = np.zeros(count, np.int32) if axis else rng.integers(-999, 999, count, dtype=np.int32)
    assert x.quantization is not None
    bias = b.constant(f"{name}/b", values, quantization=Quantization.of(x.quantization.scale * scales))
    y = add(b, op, [x, w, bias], name, **options)
    y.quantization = Quantization.of(rng.uniform(0.3, 0.6), 4)
    return y


def compiled(source: Model, **changes: Any) -> Model:
    """What a compiler would make of a chain of operators. ABS stays on the CPU. changes: see `on_device`."""
    made = source.copy()
    runs = groupby(made.main.nodes, lambda node: node.op == "ABS")
    made.main.nodes = [n for cpu, run in runs for n in (run if cpu else [on_device([*run], **changes)])]
    kept = {t for node in made.main.nodes for t in (*node.inputs, *node.outputs)}
    made.main.tensors = [tensor for tensor in made.main.tensors if tensor in kept]
    made.opcodes, made.buffers = [], []
    return made


def on_device(
    nodes: list[Node],
    order: str = ORDERS[0],
    bare: bool = False,
    package: Change = lambda record: record,
    executables: Parts = lambda parts: parts,
) -> Node:
    """The operator that stands for nodes.

    order: of weights. bare: in the manner of the oldest compilers. package, executables: changes to them.
    """
    x, y = nodes[0].inputs[0], nodes[-1].outputs[0]
    assert x is not None
    layers = [constants_of(node) for node in nodes if is_decoded(node)]
    code = np.concatenate([np.zeros((1, 2), np.uint64), *(loading(c.multipliers) for c in layers if c.single)])
    ends = {"input_layers": [layer(x, output=False)], "output_layers": [layer(y, output=True)]}
    stored = np.concatenate([encode(c, order) for c in layers])
    parts = [
        executable("EXECUTION_ONLY", code.view(np.uint8).reshape(-1), **ends),
        executable("PARAMETER_CACHING", np.zeros(32, np.uint8), parameters=stored),
    ]
    if bare:
        return custom(
            x, y, flex({"2": b"beagle", "3": flatbuffer(legacy(parts[1])), "4": flatbuffer(legacy(parts[0]))})
        )
    several = flatbuffer(Record("MultiExecutable", serialized_executables=[*map(flatbuffer, executables(parts))]))
    record = Record("Package", min_runtime_version=13, compiler_version="a compiler")
    record.serialized_multi_executable = np.frombuffer(several, np.uint8)
    return custom(x, y, flex({"4": flatbuffer(package(record)), "5": -1}))


def holding(options: bytes) -> Model:
    """A model of nothing but an operator with these options."""
    b = Builder()
    x, y = b.input("x", (1, 4), "uint8"), b.tensor("y", (1, 4), "uint8")
    made = b.model([y])
    made.main.nodes = [custom(x, y, options)]
    return made


def custom(x: Tensor, y: Tensor, options: bytes) -> Node:
    return Builder().node("CUSTOM", [x], [y], custom_code=CUSTOM_OP, custom_options=np.frombuffer(options, np.uint8))


def executable(type_: str, code: np.ndarray, **fields: Any) -> Record:
    meta = Record("Meta", desc="BASE_ADDRESS_PARAMETER", position="UPPER_32BIT")
    chunk = Record(
        "InstructionBitstream", bitstream=code, field_offsets=[Record("FieldOffset", meta=meta, offset_bit=8)]
    )
    hints = [
        Record("DmaHint", any_hint=Record("InstructionHint")),
        Record("DmaHint", any_hint=Record("DmaDescriptorHint", meta=meta, size_in_bytes=64)),
        Record("DmaHint", any_hint=Record("InterruptHint", type=1), direction="OUTFEED"),
        Record("DmaHint", any_hint=Record("FenceHint")),
    ]
    return Record(
        "Executable",
        name="model",
        chip="beagle",
        type=type_,
        batch_size=1,
        parameter_caching_token=5,
        instruction_bitstreams=[chunk],
        dma_hints=Record("DmaHints", hints=hints, fully_deterministic=True),
        **fields,
    )


def legacy(executable: Record) -> Record:
    """The form before there were packages, which knew less."""
    lost = {"chip", "type", "parameter_caching_token", "data_type"}
    fields = {name: value for name, value in executable.fields.items() if name not in lost}
    for end in fields.keys() & {"input_layers", "output_layers"}:
        fields[end] = [
            Record.of("LegacyLayer", {n: v for n, v in x.fields.items() if n not in lost}) for x in fields[end]
        ]
    return Record.of("LegacyExecutable", fields)


def layer(tensor: Tensor, output: bool) -> Record:
    y, x, z = (1, 1, 1, *tensor.shape)[-3:]
    shift = 128 if tensor.dtype.name == "int8" else 0
    numerics = Record("NumericsConstants", zero_point=tensor.zero_point + shift, dequantization_factor=tensor.scale)
    return Record(
        "Layer",
        name=tensor.name,
        size_bytes=-(-y * x * (-(-z // 4) * 4 if output else z) // 8) * 8,
        y_dim=y,
        x_dim=x,
        z_dim=z,
        numerics=numerics,
        data_type={"uint8": 0, "int8": 8}[tensor.dtype.name],
        any_layer=Record("OutputLayer" if output else "InputLayer"),
    )


def loading(multipliers: np.ndarray) -> np.ndarray:
    """Instructions that load multipliers: (n, 2) uint64"""
    words = np.tile(SET, (len(multipliers), 1))
    words[:, 0] |= multipliers.view(np.uint32).astype(np.uint64) << np.uint64(BIT)
    return words


def flatbuffer(record: Record) -> bytes:
    """Its bytes. Of these tables only packages have an identifier."""
    data = b"".join(written(record))
    return data[:4] + (IDENTIFIER if record.table == "Package" else bytes(4)) + data[8:]


def flex(options: dict[str, Any]) -> bytes:
    builder = flexbuffers.Builder()
    with builder.Map():
        for key, value in options.items():
            builder.Key(key)
            if isinstance(value, bytes):
                builder.String(Raw(value))
            elif isinstance(value, list):
                builder.VectorFromElements(value)
            else:
                builder.Int(value)
    return bytes(builder.Finish())


class Raw(bytes):
    """Bytes that a FlexBuffers builder takes for text."""

    def encode(self, *_: Any) -> bytes:
        return self
