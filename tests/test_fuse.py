"""fuse: activations and zero padding move into the operators beside them, and every output stays bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from cases.case import Case, Value
from running import feeds, ours, theirs
from test_ops import ROWS

from pyquant.dtypes import INT32
from pyquant.errors import OracleError, PyQuantError
from pyquant.graph import Builder, Model, Node, OpCode, Quantization, Subgraph, Tensor
from pyquant.graph import open as open_model
from pyquant.ops import OPERATORS, lowest_version
from pyquant.ops.build import add
from pyquant.ops.versions import FIRST_VERSION
from pyquant.ops.window import SAME, VALID
from pyquant.rewrite import fuse
from pyquant.run import interpret
from pyquant.validate import RUNTIMES, Oracle
from pyquant.wire import Record

ACTIVATIONS = [name for name, operator in OPERATORS.items() if operator.activation is not None]
SPECIAL = np.float32([-0.0, np.nan, np.inf, -np.inf, 1e-40, -1e-40, 3e38, -3e38])


def producers() -> dict[str, Case]:
    """The first two rows of each operator and type that may take an activation, without NaN."""
    found: dict[str, Case] = {}
    for name, case in ROWS.items():
        if name.startswith("ends-"):
            continue
        main = case.model().main
        kind = f"{case.op}-{OPERATORS[case.op].kind(main.nodes[0])}"
        real = main.outputs[0].dtype.is_float or main.outputs[0].is_quantized
        if real and OPERATORS[case.op].fuses and sum(key.startswith(kind) for key in found) < 2:
            found[f"{kind}-{name}"] = case
    return found


PRODUCERS = producers()


def followed(model: Model, activation: str, quantization: Quantization | None = None) -> Model:
    """A model whose output goes through an activation of the same scale, or of `quantization`."""
    (x,) = model.main.outputs
    y = Tensor("activated", x.shape, x.dtype, quantization=quantization or x.quantization)
    model.main.tensors.append(y)
    model.main.nodes.append(new_node(activation, [x], [y]))
    model.main.outputs = [y]
    return model


def new_node(op: str, inputs: list[Tensor | None], outputs: list[Tensor]) -> Node:
    """A node without options, of its lowest version."""
    node = Node(OpCode(op), inputs, outputs)
    node.opcode.version = lowest_version(node) or 1
    return node


def results(model: Model, feeds: list[np.ndarray], oracle: Oracle | None) -> list[bytes]:
    """The outputs' bytes by both of our arithmetics, or by a runtime's reference kernels."""
    if oracle is None:
        runs = [interpret(model, feeds, numerics) for numerics in ("tflite", "litert")]
        return [run[t].tobytes() for run in runs for t in model.main.outputs]
    lowest = model.copy()
    for node in lowest.main.nodes:  # as in test_ops
        node.opcode.version = FIRST_VERSION.get(node.op, 1)
    oracle.load(lowest)
    return [array.tobytes() for array in oracle.run(feeds).values()]


def special(feeds: list[np.ndarray]) -> list[np.ndarray]:
    """The same arrays, their first elements zeros with a sign, infinities, NaN."""
    made = [feed.copy() for feed in feeds]
    for feed in made:
        if feed.dtype == np.float32:
            feed.flat[: len(SPECIAL)] = SPECIAL[: feed.size]
    return made


def assert_same(before: Model, after: Model, samples: list[list[np.ndarray]], oracle: Oracle | None) -> int:
    """Both give the same bits. Returns how often they were compared: not where `before` does not run."""
    count = 0
    for arrays in samples:
        try:
            expected = results(before, arrays, oracle)
        except (PyQuantError, OracleError):
            continue
        assert results(after, arrays, oracle) == expected
        count += 1
    return count


@pytest.mark.parametrize("runtime", [None, *RUNTIMES])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_of_every_operator_and_type(
    activation: str, runtime: str | None, oracle_of: Callable[[str], Oracle]
) -> None:
    oracle = None if runtime is None else oracle_of(runtime)
    compared = 0
    for name, case in PRODUCERS.items():
        before = followed(case.model(), activation)
        after = fuse(before)
        fused = len(after.main.nodes) == 1
        if before.main.nodes[0].options is None or before.main.nodes[0].options.fused_activation_function == 0:
            assert fused, name
        samples = [case.feeds(), special(case.feeds())]
        hybrid = runtime is not None and "hybrid" in name  # to quantize NaN is not defined in C
        if (activation, runtime) == ("RELU6", "tflite-runtime") or hybrid:
            samples.pop()  # its kernel of RELU6 alone makes 0 of NaN and of -0
        compared += assert_same(before, after, samples, oracle)
    assert compared >= len(PRODUCERS) * 2 // 3


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ("RELU", "RELU", "RELU"),
        ("RELU", "RELU6", "RELU6"),
        ("RELU6", "RELU", "RELU6"),
        ("RELU_N1_TO_1", "RELU_N1_TO_1", "RELU_N1_TO_1"),
        ("RELU", "RELU_N1_TO_1", None),  # 0..1 has no code
        ("TANH", "RELU", None),
    ],
)
def test_a_second_activation(first: str, second: str, both: str | None) -> None:
    b = Builder()
    x, one = b.input("x", (3, 100)), b.constant("one", np.float32([1]))
    before = followed(b.model([add(b, "ADD", [x, one], "y", fused_activation_function=first)]), second)
    after = fuse(before)
    assert len(after.main.nodes) == (2 if both is None else 1)
    if both is not None:
        assert after.main.nodes[0].options == Record("AddOptions", fused_activation_function=both)
    if first != "TANH":
        feeds = [np.random.default_rng(0).normal(0, 5, (3, 100)).astype(np.float32)]
        assert_same(before, after, [feeds, special(feeds)], None)


def test_what_keeps_an_activation_where_it_is() -> None:
    quantized = Value((2, 50), "int8", 0.05, -7)
    case = Case("add", "ADD", (quantized, quantized), replace(quantized, shape=()))
    untouched = {
        "another scale": followed(case.model(), "RELU", Quantization.of(0.04, -7)),
        "another zero point": followed(case.model(), "RELU", Quantization.of(0.05, -8)),
        "an activation that no kernel fuses": followed(case.model(), "LOGISTIC", Quantization.of(1 / 256, -128)),
        "a bound past int32": followed(replace(case, output=Value((), "int8", 1e-9, 0)).model(), "RELU6"),
    }
    untouched["an output before it"] = followed(case.model(), "RELU")
    untouched["an output before it"].main.outputs.insert(0, untouched["an output before it"].main.nodes[0].outputs[0])
    untouched["another reader"] = model = followed(case.model(), "RELU")
    again = Tensor("again", (2, 50), model.main.outputs[0].dtype, quantization=model.main.outputs[0].quantization)
    model.main.tensors.append(again)
    model.main.nodes.append(Node(OpCode("RELU"), list(model.main.nodes[1].inputs), [again]))
    model.main.outputs.append(again)
    concatenation = ROWS["concatenation-concatenation-int8-constant"]
    untouched["an operator that fuses none"] = followed(concatenation.model(), "RELU")
    for why, before in untouched.items():
        assert len(fuse(before).main.nodes) == len(before.main.nodes), why


BIASES = {"float32": "float32", "int16": "int64"}


def padded(op: str, image: Value, weights: Value | None, zeros: list[tuple[int, int]], **options: object) -> Model:
    """PAD in front of an operator of windows with padding VALID."""
    b, rng = Builder(), np.random.default_rng(0)
    x = b.input("x", image.shape, image.dtype, image.quantization)
    amounts = b.constant("zeros", np.int32(zeros))
    wide = add(b, "PAD", [x, amounts], "padded", image.dtype, image.quantization)
    inputs: list[Tensor | None] = [wide]
    if weights is not None:
        inputs.append(b.constant("w", weights.random(rng), weights.dtype, weights.quantization))
        bias = rng.integers(-500, 500, max(weights.shape[0], weights.shape[3] * (op != "CONV_2D")))
        inputs.append(b.constant("b", bias.astype(BIASES.get(image.dtype, "int32"))))
    options = {"padding": "VALID", "stride_h": 1, "stride_w": 1, **options}
    return b.model([add(b, op, inputs, "y", image.dtype, image.quantization, **options)])


IMAGES = {
    "float32": Value((2, 7, 8, 3)),
    "int8": Value((2, 7, 8, 3), "int8", 0.05, -7),
    "int8 from zero up": Value((2, 7, 8, 3), "int8", 0.05, -128),
    "uint8": Value((2, 7, 8, 3), "uint8", 0.05, 120),
    "uint8 from zero up": Value((2, 7, 8, 3), "uint8", 0.05, 0),
    "int16": Value((2, 7, 8, 3), "int16", 0.001, 0),
}
# window, stride, dilation -> zeros above and below, left and right that padding SAME puts around 7 x 8
WINDOWS = {
    ((3, 3), 1, 1): [(1, 1), (1, 1)],
    ((3, 3), 2, 1): [(1, 1), (0, 1)],
    ((2, 5), 2, 1): [(0, 1), (1, 2)],
    ((3, 2), 1, 2): [(2, 2), (1, 1)],
}


def filters(op: str, kind: str, window: tuple[int, int]) -> Value | None:
    """Weights of an operator for images of a kind, int8 ones with a scale for each channel."""
    if op == "MAX_POOL_2D":
        return None
    shape, axis = ((4, *window, 3), 0) if op == "CONV_2D" else ((1, *window, 3), 3)
    if kind == "float32":
        return Value(shape)
    if kind.startswith("uint8"):
        return Value(shape, "uint8", 0.01, 127)
    return Value(shape, "int8", np.linspace(0.01, 0.02, shape[axis]), axis=axis, low=-127)


@pytest.mark.parametrize("runtime", [None, *RUNTIMES])
@pytest.mark.parametrize("op", ["CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D"])
def test_padding_of_every_type(op: str, runtime: str | None, oracle_of: Callable[[str], Oracle]) -> None:
    oracle = None if runtime is None else oracle_of(runtime)
    for kind, ((window, stride, dilation), zeros) in product([*IMAGES, "hybrid"], WINDOWS.items()):
        weights, image = filters(op, kind, window), IMAGES.get(kind, IMAGES["float32"])
        options: dict[str, object] = {"stride_h": stride, "stride_w": stride}
        if weights is not None:
            options |= {"dilation_h_factor": dilation, "dilation_w_factor": dilation}
            options |= {"depth_multiplier": 1} if op == "DEPTHWISE_CONV_2D" else {}
        elif dilation == 1:
            options |= {"filter_height": window[0], "filter_width": window[1]}
        else:
            continue
        before = padded(op, image, weights, [(0, 0), *zeros, (0, 0)], **options)
        after = fuse(before)
        assert len(after.main.nodes) == (1 if weights is not None or "zero" in kind else 2), (kind, window)
        rng = np.random.default_rng(1)
        assert assert_same(before, after, [[image.random(rng)], [image.random(rng)]], oracle) == 2, (kind, window)


def test_what_keeps_padding_where_it_is() -> None:
    image, weights = IMAGES["float32"], Value((4, 3, 3, 3))
    same = [(0, 0), (1, 1), (1, 1), (0, 0)]
    models = {
        "more in front": padded("CONV_2D", image, weights, [(0, 0), (2, 1), (1, 1), (0, 0)]),
        "another size": padded("CONV_2D", image, weights, [(0, 0), (1, 2), (1, 1), (0, 0)]),
        "the batch": padded("CONV_2D", image, weights, [(1, 0), (1, 1), (1, 1), (0, 0)]),
        "already SAME": padded("CONV_2D", image, weights, same, padding="SAME"),
        "an average": padded("AVERAGE_POOL_2D", image, None, same, filter_height=3, filter_width=3),
        "an infinite weight": padded("CONV_2D", image, weights, same),
        "an unknown height": padded("CONV_2D", image, weights, same),
    }
    w = models["an infinite weight"].main.tensors[-3]
    w.data = np.where(w.data == w.data.max(), np.float32(np.inf), w.data)
    models["an unknown height"].main.inputs[0].shape_signature = (2, -1, 8, 3)
    for why, before in models.items():
        assert len(fuse(before).main.nodes) == 2, why
    two = padded("CONV_2D", image, weights, same)
    two.main.outputs.append(two.main.nodes[0].outputs[0])
    assert len(fuse(two).main.nodes) == 2  # the padded image stays, and nobody else reads it
    assert fuse(two).main.nodes[1].inputs[0] is not two.main.nodes[0].outputs[0]


def unfused(model: Model) -> Model:
    """A copy whose fused activations are nodes of their own, as is what its convolutions with padding SAME pad."""
    made = model.copy()
    main, nodes = made.main, []
    for node in main.nodes:
        operator, options = OPERATORS[node.op], node.options
        if operator.without_zeros is not None and options is not None and node.inputs[0] is not None:
            nodes += pad_before(main, node, node.inputs[0])
        nodes.append(node)
        activation = getattr(node.options, "fused_activation_function", 0)
        if activation:
            (y,) = node.outputs
            x = replace(y, name=f"{y.name} before activation")
            main.tensors.append(x)
            node.outputs = [x]
            node.options = node.options and node.options.replace(fused_activation_function=0)
            (name,) = (n for n, o in OPERATORS.items() if o.activation == activation)
            nodes.append(new_node(name, [x], [y]))
    main.nodes = nodes
    return made


def pad_before(main: Subgraph, node: Node, image: Tensor) -> list[Node]:
    """PAD as padding SAME does for a convolution, which then has padding VALID; nothing where it is VALID already."""
    assert node.options is not None
    if node.options.padding != SAME or node.op not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return []
    (_, kh, kw, _), zeros = node.inputs[1].shape, [(0, 0)]  # type: ignore[union-attr]
    for size, taps, stride in zip(
        image.shape[1:3], (kh, kw), (node.options.stride_h, node.options.stride_w), strict=True
    ):
        total = max((-(-size // stride) - 1) * stride + taps - size, 0)
        zeros.append((total // 2, total - total // 2))
    amounts = Tensor("zeros", (4, 2), INT32)
    amounts.data = np.int32([*zeros, (0, 0)])
    shape = tuple(n + sum(z) for n, z in zip(image.shape, [*zeros, (0, 0)], strict=True))
    wide = replace(image, name=f"{image.name} padded", shape=shape, shape_signature=None)
    main.tensors += [amounts, wide]
    node.inputs[0], node.options = wide, node.options.replace(padding=VALID)
    return [new_node("PAD", [image, amounts], [wide])]


@pytest.mark.parametrize(
    "name",
    [
        "mlperf_tiny/kws_ref_model",
        "mlperf_tiny/kws_ref_model_float32",
        "mlperf_tiny/vww_96_int8",
        "mlperf_tiny/pretrainedResnet",
        "converter_variants/resnet_dynamic_range",
        "converter_variants/resnet_int16x8_int16_io",
        "edgetpu_pairs/mobilenet_v1_0.25_128_quant",
    ],
)
def test_real_models_fuse_back(name: str, data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    model = open_model(data_folder / "models" / f"{name}.tflite")
    apart = unfused(model)
    assert len(apart.main.nodes) > len(model.main.nodes) + 5
    fused = fuse(apart)
    assert [(n.op, n.options) for n in fused.main.nodes] == [(n.op, n.options) for n in model.main.nodes]
    for inputs in (feeds(model), [feed[..., ::-1].copy() for feed in feeds(model)]):
        assert ours(apart, inputs) == ours(fused, inputs) == ours(model, inputs) is not None
        found = theirs(oracle_of("ai-edge-litert"), apart, inputs, "reference")
        assert found == theirs(oracle_of("ai-edge-litert"), fused, inputs, "reference") is not None
