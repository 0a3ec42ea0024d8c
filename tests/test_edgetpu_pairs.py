"""Published pairs of a model and its compiled file: all is read, and is bit for bit what is predicted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import pyquant as pq
from pyquant.edgetpu import Inspection, inspect, parameter_bytes, recover, recovery
from pyquant.edgetpu.package import IDENTIFIER, containers
from pyquant.edgetpu.parameters import constant_operands, constants_of, encode
from pyquant.graph import Model, Node, Quantization

PAGE = 4096
MOST_IN_A_CHUNK = 1 << 18


class Pair(NamedTuple):
    """mapped, cpu: operators. layers: those with weights that are decoded. boundary: tensors.

    others: bytes of parameters that are cached, and streamed, and not of these layers.
    """

    mapped: int
    cpu: int
    layers: int
    boundary: int
    others: tuple[int, int] = (0, 0)


SOFTMAX = (48256, 0)  # a table for 1001 classes
PAIRS = {
    "deeplabv3_mnv2_dm05_pascal_quant": Pair(64, 8, 53, 3),
    "keras_lstm_mnist_ptq": Pair(6, 0, 1, 4, (34944, 576)),  # of the LSTM and a SOFTMAX
    "mobilenet_edgetpu_0.75_224_post_training_quant": Pair(79, 0, 59, 2),
    "mobilenet_v1_0.25_128_quant": Pair(31, 0, 28, 2, SOFTMAX),
    "mobilenet_v1_0.5_160_quant": Pair(31, 0, 28, 2, SOFTMAX),
    "mobilenet_v2_1.0_224_quant": Pair(66, 0, 53, 2),
    "movenet_single_pose_lightning_ptq": Pair(98, 59, 74, 6, (0, 2368)),  # constants of SUB and MUL
    "older_compiler/mobilenet_v1_0.25_128_quant": Pair(31, 0, 28, 2),
    "posenet_mobilenet_v1_075_481_641_16_quant_decoder": Pair(37, 1, 31, 4),
    "split_concat": Pair(3, 0, 0, 8, (192, 0)),  # matrices of ones and zeros
}
WITH_LAYERS = [name for name, pair in PAIRS.items() if pair.layers > 1]
every_pair = pytest.mark.parametrize("name", PAIRS)


def path(folder: Path, name: str) -> Path:
    return folder / "models" / "edgetpu_pairs" / f"{name}.tflite"


def compiled_path(folder: Path, name: str) -> Path:
    return path(folder, f"{name}_edgetpu")


def inspected(folder: Path, name: str, source: Model | None = None) -> Inspection:
    return inspect(compiled_path(folder, name), path(folder, name) if source is None else source)


@every_pair
def test_everything_in_the_file_is_read(name: str, data_folder: Path) -> None:
    model = pq.open(compiled_path(data_folder, name))
    (container,) = containers(model)
    (package,) = container.packages
    assert (container.version, package.bare, package.chips) == (0, False, ())
    assert package.runtime in (12, 13) and package.compiler.startswith("cl/")
    execution, caching = package.executables
    assert (execution.type, caching.type) == ("execution only", "parameter caching")
    assert execution.token == caching.token != 0
    assert not caching.inputs and not caching.outputs
    for executable in package.executables:
        assert (executable.chip, executable.batch, executable.version) == ("beagle", 1, 0)
        assert executable.unknown == ()
        assert all(0 < chunk.code.size <= MOST_IN_A_CHUNK for chunk in executable.chunks)
        addresses = [field for chunk in executable.chunks for field in chunk.fields]
        names = {layer.name for layer in (*executable.inputs, *executable.outputs)}
        assert {field.name for field in addresses if field.base in ("input", "output")} == names
        loads = [hint.bytes for hint in executable.hints if hint.kind == "transfer" and hint.base == "parameters"]
        assert sum(loads) == executable.parameters.size
    assert package.unknown == ()


@every_pair
def test_pages_and_parameters_are_aligned(name: str, data_folder: Path) -> None:
    (container,) = containers(pq.open(compiled_path(data_folder, name)))
    options = container.node.custom_options
    assert options is not None
    data = options.tobytes()
    (package,) = container.packages
    start = data.index(IDENTIFIER) - 4
    assert package.bytes % PAGE == 0
    for executable in package.executables:
        assert executable.bytes % PAGE == 0
        if executable.parameters.size:
            assert executable.parameters.size % 64 == 0
            assert (data.index(executable.parameters.tobytes(), start) - start) % PAGE == 0


@every_pair
def test_layers_have_the_padded_sizes(name: str, data_folder: Path) -> None:
    (container,) = containers(pq.open(compiled_path(data_folder, name)))
    layers = [layer for e in container.executables for layer in (*e.inputs, *e.outputs)]
    assert len(layers) >= PAIRS[name].boundary
    assert [layer.bytes for layer in layers] == [layer.padded_bytes for layer in layers]


@every_pair
def test_it_is_compiled_from_its_source(name: str, data_folder: Path) -> None:
    found, pair = inspected(data_folder, name), PAIRS[name]
    comparison = found.comparison
    assert comparison is not None
    assert comparison.differences == ()
    assert found.same
    assert (len(comparison.mapped), len(comparison.cpu), len(comparison.layers)) == pair[:3]
    assert [boundary.difference for boundary in comparison.boundary] == [""] * pair.boundary
    assert all(layer.weights and layer.bias and layer.multipliers for layer in comparison.layers)
    assert not any(layer.stored.assumed for layer in comparison.layers)


@every_pair
def test_boundary_scales_and_zero_points_are_equal_bit_for_bit(name: str, data_folder: Path) -> None:
    comparison = inspected(data_folder, name).comparison
    assert comparison is not None
    tensors = {t.name: t for t in pq.open(path(data_folder, name)).main.tensors}
    for tensor in (boundary.tensor for boundary in comparison.boundary):
        assert tensor.scale.tobytes() == tensors[tensor.name].scale.tobytes()
        assert tensor.zero_point == tensors[tensor.name].zero_point


@every_pair
def test_parameters_are_those_predicted_byte_for_byte(name: str, data_folder: Path) -> None:
    found, pair = inspected(data_folder, name), PAIRS[name]
    assert found.comparison is not None
    blobs = [e.parameters for e in sorted(found.containers[0].executables, key=lambda e: not e.caching)]
    explained = [np.zeros(blob.size, bool) for blob in blobs]
    for stored in (layer.stored for layer in found.comparison.layers):
        assert stored.blob is not None and stored.offset is not None and stored.order is not None
        data = encode(constants_of(stored.node), stored.order)
        assert data.size == parameter_bytes(stored.node)
        place = slice(stored.offset, stored.offset + data.size)
        np.testing.assert_array_equal(blobs[stored.blob][place], data)
        assert not explained[stored.blob][place].any()
        explained[stored.blob][place] = True
    assert tuple(int((~known).sum()) for known in explained) == pair.others


def test_operands_of_movenet(data_folder: Path) -> None:
    """12 bytes of a SUB, whose order is not known, and the 48 times 48 of a MUL; others are single numbers."""
    name = "movenet_single_pose_lightning_ptq"
    source = pq.open(path(data_folder, name))
    comparison = inspected(data_folder, name, source).comparison
    assert comparison is not None
    assert [node.op for node in comparison.unknown] == ["SUB"]
    nodes = [node for node in comparison.mapped if constant_operands(node)]
    assert [(node.op, parameter_bytes(node)) for node in nodes] == [("SUB", 64), ("MUL", 2304)]
    (operand,) = constant_operands(nodes[1])
    assert operand.data is not None
    operand.data = operand.data ^ np.int8(1)
    comparison = inspected(data_folder, name, source).comparison
    assert comparison is not None
    assert comparison.differences == (f"{nodes[1].label}: the constant {operand.name!r}",)


@pytest.mark.parametrize("name", [*WITH_LAYERS, "keras_lstm_mnist_ptq"])
def test_a_changed_constant_is_named(name: str, data_folder: Path) -> None:
    source = pq.open(path(data_folder, name))
    comparison = inspected(data_folder, name, source).comparison
    assert comparison is not None
    nodes = [layer.node for layer in comparison.layers]
    for node in (nodes[0], nodes[len(nodes) // 2], nodes[-1]):
        for what, change in CHANGES.items():
            changed = source.copy()
            (twin,) = (n for n in changed.main.nodes if n.outputs[0].name == node.outputs[0].name)
            change(twin)
            found = inspected(data_folder, name, changed)
            assert found.comparison is not None and found.same is False
            assert found.comparison.differences == (f"{node.label}: {what}",)


def change_weight(node: Node) -> None:
    w = node.inputs[1]
    assert w is not None and w.data is not None
    values = w.data.copy()
    values.reshape(-1)[values.size // 2] ^= 1
    w.data = values


def change_bias(node: Node) -> None:
    b = node.inputs[2]
    assert b is not None and b.data is not None
    values = b.data.copy()
    values[-1] ^= 1
    b.data = values


def change_scale(node: Node) -> None:
    """Of the first output, or of all, in the last place."""
    w = node.inputs[1]
    assert w is not None and w.quantization is not None
    scale = w.quantization.scale.copy()
    scale[:1] *= np.float32(1.0001)
    w.quantization = replace(w.quantization, scale=scale)


CHANGES = {"weights": change_weight, "bias": change_bias, "multipliers": change_scale}


def test_a_changed_scale_between_layers_is_named(data_folder: Path) -> None:
    name = "mobilenet_edgetpu_0.75_224_post_training_quant"
    source = pq.open(path(data_folder, name))
    tensor = source.main.nodes[1].outputs[0]
    tensor.quantization = Quantization.of(tensor.scale * np.float32(1.01), tensor.zero_point)
    comparison = inspected(data_folder, name, source).comparison
    assert comparison is not None
    readers = [node for node in source.main.nodes if tensor in node.inputs and node.op == "CONV_2D"]
    assert comparison.differences == tuple(f"{n.label}: multipliers" for n in (source.main.nodes[1], *readers))


@pytest.mark.parametrize("name", ["deeplabv3_mnv2_dm05_pascal_quant", "movenet_single_pose_lightning_ptq"])
def test_a_changed_operator_on_the_cpu_is_named(name: str, data_folder: Path) -> None:
    source = pq.open(path(data_folder, name))
    comparison = inspected(data_folder, name, source).comparison
    assert comparison is not None
    node = next(n for n in comparison.cpu if any(t is not None and t.is_constant for t in n.inputs))
    tensor = next(t for t in node.inputs if t is not None and t.data is not None)
    tensor.data = np.asarray(tensor.data) ^ np.asarray(1, tensor.dtype.numpy)
    found = inspected(data_folder, name, source)
    assert found.comparison is not None and found.same is False
    assert any(node.label in line and "values" in line for line in found.comparison.differences)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("mobilenet_v1_0.25_128_quant", "mobilenet_v1_0.5_160_quant"),
        ("mobilenet_v1_0.25_128_quant", "older_compiler/mobilenet_v1_0.25_128_quant"),  # of another converter
        ("older_compiler/mobilenet_v1_0.25_128_quant", "mobilenet_v1_0.25_128_quant"),
        ("mobilenet_v2_1.0_224_quant", "mobilenet_edgetpu_0.75_224_post_training_quant"),
        ("movenet_single_pose_lightning_ptq", "posenet_mobilenet_v1_075_481_641_16_quant_decoder"),
    ],
)
def test_it_is_not_compiled_from_another_model(name: str, other: str, data_folder: Path) -> None:
    found = inspect(compiled_path(data_folder, name), path(data_folder, other))
    assert found.comparison is not None and found.same is False
    layers = {layer.node.label for layer in found.comparison.layers if layer.difference}
    assert len(layers) > 0.5 * len(found.comparison.layers)
    assert all(any(line.startswith(label) for line in found.comparison.differences) for label in layers)


@every_pair
def test_recovering_on_the_source_gives_the_source(name: str, data_folder: Path) -> None:
    source = pq.open(path(data_folder, name))
    assert pq.diff(source, recover(compiled_path(data_folder, name), source)).same


@pytest.mark.parametrize("name", WITH_LAYERS)
def test_recovering_gives_the_constants_of_the_source(name: str, data_folder: Path) -> None:
    """On a model of other weights, biases and weights' scales: these come back as they were in the source.

    Scales to the last places only, as several make the same multiplier.
    """
    source, compiled = pq.open(path(data_folder, name)), pq.open(compiled_path(data_folder, name))
    layers = [layer.node for layer in recovery(compiled, source).layers]
    like = scrambled(source, {node.outputs[0].name for node in layers})
    found = recover(compiled, like)
    twins = {node.outputs[0].name: node for node in found.main.nodes}
    for node in layers:
        for mine, theirs in zip(twins[node.outputs[0].name].inputs[1:3], node.inputs[1:3], strict=True):
            assert mine is not None and theirs is not None
            assert mine.quantization is not None and theirs.quantization is not None
            np.testing.assert_array_equal(mine.data, theirs.data)
            np.testing.assert_allclose(mine.quantization.scale, theirs.quantization.scale, rtol=1e-6)
    assert inspect(compiled, found).same
    assert not inspect(compiled, like).same


def scrambled(source: Model, names: set[str]) -> Model:
    """Random weights, biases (but zeros) and scales of weights, up to a tenth off, in the nodes of those outputs."""
    made, rng = source.copy(), np.random.default_rng(0)
    nodes = [node for node in made.main.nodes if node.outputs[0].name in names]
    for w, b in {node.inputs[1]: node.inputs[2] for node in nodes}.items():
        assert w is not None and b is not None and b.data is not None
        assert w.quantization is not None and w.dtype.numpy is not None
        info = np.iinfo(w.dtype.numpy)
        w.data = rng.integers(info.min + 1, info.max, w.shape, endpoint=True).astype(w.dtype.numpy)
        b.data = rng.integers(1, 1000, b.shape, dtype=np.int32) if b.data.any() else b.data
        scale = w.quantization.scale * rng.uniform(0.9, 1.1, w.quantization.scale.shape)
        w.quantization = replace(w.quantization, scale=scale.astype(np.float32))
    return made
