"""batch and resize: shapes follow, each sample gives what it gave alone, and what cannot follow is named."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from running import feeds

import pyquant as pq
from pyquant.dtypes import BOOL, FLOAT32
from pyquant.errors import GraphError, OptionError, RangeError, ShapeError, UnsupportedOp
from pyquant.graph import Builder, Model, Node, OpCode, Subgraph, Tensor
from pyquant.ops.build import add
from pyquant.ops.operator import Shape
from pyquant.rewrite import batch, resize
from pyquant.validate import Oracle
from pyquant.wire import Record

MLPERF_TINY = [
    "ad01_fp32",
    "ad01_int8",
    "ad01_dr_tf23",
    "kws_ref_model",
    "kws_ref_model_float32",
    "pretrainedResnet",
    "pretrainedResnet_quant",
    "pretrainedResnet_large_float",
    "pretrainedResnet_large_int8",
    "str_ww_ref_model",
    "str_ww_ref_model_float32",
    "vww_96_float",
    "vww_96_int8",
]


def run(model: Model, inputs: Sequence[np.ndarray], oracle: Oracle | None = None) -> list[np.ndarray]:
    """The outputs by our plan, or by a runtime's reference kernels."""
    if oracle is None:
        values = pq.compile(model).run(*inputs)
        return [values[t] for t in model.main.outputs]
    oracle.load(model)
    return list(oracle.run(inputs).values())


def assert_rows_equal(model: Model, larger: Model, oracle: Oracle | None = None) -> None:
    """Each sample of a batch gives, bit for bit, what it gives alone."""
    inputs = feeds(larger)
    together = run(larger, inputs, oracle)
    for i in range(larger.main.inputs[0].shape[0]):
        alone = run(model, [x[i : i + 1] for x in inputs], oracle)
        assert [y[i : i + 1].tobytes() for y in together] == [y.tobytes() for y in alone]


@pytest.mark.parametrize("name", MLPERF_TINY)
def test_batch_of_mlperf_tiny(name: str, data_folder: Path, oracle_of: Callable[[str], Oracle]) -> None:
    model = pq.open(data_folder / "models" / "mlperf_tiny" / f"{name}.tflite")
    eight = batch(model, 8)
    assert eight.main.inputs[0].shape == (8, *model.main.inputs[0].shape[1:])
    assert_rows_equal(model, eight)
    assert_rows_equal(model, eight, oracle_of("ai-edge-litert"))
    for before, after in zip(model.main.tensors, eight.main.tensors, strict=False):
        assert before.shape_signature is None or -1 not in before.shape_signature[:1] or after.shape_signature[0] == -1
    back = batch(eight, 1)
    assert [(t.name, t.shape, t.shape_signature) for t in back.main.tensors] == [
        (t.name, t.shape, t.shape_signature) for t in model.main.tensors
    ]


def test_resize_of_an_image(data_folder: Path) -> None:
    """A fully convolutional model takes any size; in the tensors that a border does not reach, nothing changes."""
    model = pq.open(data_folder / "models" / "efficientnet_lite0" / "efficientnet_lite0_int8.tflite")
    wide = resize(model, {"images": (1, 224, 256, 3)})
    assert [t.shape for t in wide.main.outputs] == [(1, 1000)]
    (images,) = feeds(wide)
    first = wide.main.nodes[0].outputs[0]
    ours = pq.compile(wide, keep=[first]).run(images)[first]
    narrow = pq.compile(model, keep=[model.main.nodes[0].outputs[0]]).run(images[:, :, :224])
    assert np.array_equal(ours[:, :, :111], narrow[model.main.nodes[0].outputs[0]][:, :, :111])


@pytest.mark.parametrize(
    ("before", "now", "y", "wanted", "expected"),
    [
        ((1, 25, 5, 64), (1, 50, 5, 64), (1, 8000), (1, 8000), (1, 16000)),
        ((1, 8, 8, 3), (4, 8, 8, 3), (1, 192), (-1, 192), (4, 192)),
        ((1, 64, 384), (1, 128, 384), (1, 64, 12, 32), (1, 64, 12, 32), (1, 128, 12, 32)),
        ((64, 384), (128, 384), (1, 64, 384), (1, 64, 384), (1, 128, 384)),
        ((1, 1, 1, 64), (1, 1, 1, 32), (64,), (64,), (32,)),
        ((1, 64, 1, 1), (1, 64, 2, 1), (1, 64), (1, 64), (1, 128)),
        ((1, 5), (3, 5), (5,), (5,), (15,)),
        ((6,), (12,), (2, 3), (-1, 3), (4, 3)),
        ((6,), (12,), (2, 3), (2, -1), (2, 6)),
        ((6,), (12,), (2, 3), (2, 3), None),
        ((4, 6), (4, 7), (8, 3), (8, 3), None),
        ((1,), (5,), (), (), None),
    ],
)
def test_what_a_reshape_becomes(before: Shape, now: Shape, y: Shape, wanted: Shape, expected: Shape | None) -> None:
    """In its constant, and in its option where the file has that too; a -1 stays."""
    b = Builder()
    x, shape = b.input("x", before), b.constant("shape", np.int32(wanted))
    model = b.model([add(b, "RESHAPE", [x, shape], "y", new_shape=wanted)])
    assert model.main.outputs[0].shape == y
    if expected is None:
        with pytest.raises(
            ShapeError, match=f"{re.escape(str(y))}; what becomes of {re.escape(str(now))} is not clear"
        ):
            resize(model, {"x": now})
        return
    made = resize(model, {"x": now}).main
    (reshape,) = made.nodes
    stated = reshape.inputs[1].data  # type: ignore[union-attr]
    assert made.outputs[0].shape == expected
    assert stated is not None and reshape.options is not None
    assert stated.tolist() == reshape.options.new_shape.tolist()
    assert [n == -1 for n in stated] == [n == -1 for n in wanted]
    assert np.array_equal(shape.data, wanted)


def built(op: str, *shapes: Shape, **options: object) -> Model:
    """One operator of inputs x0, x1, ... of these shapes."""
    b = Builder()
    return b.model([add(b, op, [b.input(f"x{i}", shape) for i, shape in enumerate(shapes)], "y", **options)])


def with_constant(op: str, shape: Shape, constant: np.ndarray, **options: object) -> Model:
    b = Builder()
    return b.model([add(b, op, [b.input("x0", shape), b.constant("c", constant)], "y", **options)])


def squeezed_twice() -> Model:
    """(1, 5, 1) without its first dimension, with it, and through a reshape that states both forms."""
    b = Builder()
    x = b.input("x0", (1, 5, 1))
    flat = add(b, "SQUEEZE", [x], "flat", squeeze_dims=[0, 2])
    again = add(b, "RESHAPE", [flat, b.constant("shape", np.int32([1, 5]))], "again")
    return b.model([add(b, "TANH", [again], "y")])


BATCHES = {
    "constants of every sample repeat": with_constant("CONCATENATION", (1, 3), np.float32([[1, 2]]), axis=1),
    "constants broadcast": with_constant("ADD", (1, 3), np.float32([1, 2, 3])),
    "rows of weights": with_constant("FULLY_CONNECTED", (1, 2, 6), np.float32(np.arange(12).reshape(4, 3))),
    "a squeezed dimension": squeezed_twice(),
    "mean of other dimensions": with_constant("MEAN", (1, 3, 4), np.int32([1]), keep_dims=False),
}


@pytest.mark.parametrize("name", BATCHES)
def test_batch_of_built_models(name: str, oracle_of: Callable[[str], Oracle]) -> None:
    model = BATCHES[name]
    rows = model.main.outputs[0].shape[0]
    three = batch(model, 3)
    for oracle in (None, oracle_of("ai-edge-litert")):
        inputs = feeds(three)
        (together,) = run(three, inputs, oracle)
        alone = [run(model, [x[i : i + 1] for x in inputs], oracle)[0] for i in range(3)]
        assert np.array_equal(together.reshape(3, rows, -1), np.stack(alone).reshape(3, rows, -1)), name
    assert three.main.outputs[0].shape[0] == 3 * rows


def unknown(is_custom: bool, has_changed: bool) -> Model:
    """An operator that pyquant does not know, of the input or of a constant."""
    b = Builder()
    x, c = b.input("x0", (1, 3)), b.constant("c", np.zeros((1, 3), np.float32))
    y = b.tensor("mystery", (1, 3))
    b.node("CUSTOM" if is_custom else "SEGMENT_SUM", [x if has_changed else c], [y], custom_code="Riddle" * is_custom)
    return b.model([add(b, "TANH", [x], "z"), y])


def with_variable() -> Model:
    b = Builder()
    x, state = b.input("x0", (1, 3)), b.tensor("state", (1, 3), is_variable=True)
    return b.model([add(b, "ADD", [x, state], "y")])


BATCH_REFUSED = [
    (built("CONCATENATION", (1, 3), (1, 3), axis=0), ShapeError, "CONCATENATION 'y': it computes across the first"),
    (built("SOFTMAX", (4,)), ShapeError, "SOFTMAX 'y': it computes across the first dimension"),
    (built("ADD", (1,), (1, 1)), ShapeError, "ADD 'y': it computes across the first dimension"),
    (with_constant("MEAN", (1, 3), np.int32([0])), ShapeError, "MEAN 'y': shape (3,) of 'y' becomes (3,): it mixes"),
    (
        with_constant("PAD", (1, 3), np.int32([[1, 0], [0, 0]])),
        ShapeError,
        "PAD 'y': shape (2, 3) of 'y' becomes (9, 3)",
    ),
    (with_constant("ADD", (2, 3), np.zeros((2, 3), np.float32)), ShapeError, "ADD 'y': shapes (8, 3) and (2, 3)"),
    (built("ADD", (1, 3), (4, 1)), ShapeError, "'x0' (1, 3), 'x1' (4, 1): expected one number of samples"),
    (
        built("SQUEEZE", (1, 1, 5), squeeze_dims=[0]),
        ShapeError,
        "SQUEEZE 'y': there is no way to say that shape (8, 1, 5)",
    ),
    (unknown(True, True), UnsupportedOp, "Riddle 'mystery': input 'x0' changes from (1, 3) to (8, 3)"),
    (unknown(False, True), UnsupportedOp, "SEGMENT_SUM 'mystery': input 'x0' changes"),
    (with_variable(), GraphError, "ADD 'y': it keeps 'state' of shape (1, 3) from run to run"),
]


@pytest.mark.parametrize(("model", "error", "message"), BATCH_REFUSED, ids=[message for *_, message in BATCH_REFUSED])
def test_what_stands_in_the_way_of_a_batch(model: Model, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        batch(model, 8)


def test_unknown_operators_of_unchanged_shapes_stay() -> None:
    made = batch(unknown(True, False), 8)
    assert [t.shape for t in made.main.outputs] == [(8, 3), (1, 3)]


@pytest.mark.parametrize(
    ("model", "shapes", "error", "message"),
    [
        (built("TANH", (1, 3)), {"x": (1, 4)}, OptionError, "no input is 'x'; the inputs are 'x0'"),
        (built("TANH", (1, 3)), {"x0": (4,)}, ShapeError, "found shape (4,), expected sizes in place of (1, 3)"),
        (built("TANH", (1, 3)), {"x0": (1, 0)}, ShapeError, "found shape (1, 0)"),
        (built("TANH", (1, 3)), {"x0": (1, 2**31)}, RangeError, "tensor 'x0' has shape (1, 2147483648)"),
        (
            built("ADD", (1, 3), (1, 3)),
            {"x0": (1, 4)},
            ShapeError,
            "ADD 'y': shapes (1, 4) and (1, 3) do not broadcast",
        ),
        (
            with_constant("FULLY_CONNECTED", (1, 6), np.zeros((4, 6), np.float32)),
            {"x0": (1, 12)},
            ShapeError,
            "FULLY_CONNECTED 'y': weights take rows of 6, made of (1, 6); (1, 12) has none",
        ),
    ],
)
def test_what_stands_in_the_way_of_a_shape(
    model: Model, shapes: dict[str, Shape], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        resize(model, shapes)


def test_batch_below_one() -> None:
    with pytest.raises(OptionError, match="expected a whole number, at least 1"):
        batch(built("TANH", (1, 3)), 0)


def body(op: str, name: str) -> Subgraph:
    """A subgraph of one operator of (1, 3)."""
    x, y = Tensor("x", (1, 3), FLOAT32), Tensor("y", (1, 3), FLOAT32)
    return Subgraph(name, [x, y], [x], [y], [Node(OpCode(op), [x], [y])])


def calling(op: str, options: str, bodies: dict[str, Subgraph], condition: list[Tensor]) -> Model:
    """TANH, and a control flow operator of its result."""
    model = built("TANH", (1, 3))
    main, y = model.main, Tensor("called", (1, 3), FLOAT32)
    main.nodes.append(Node(OpCode(op), [*condition, *main.outputs], [y], Record(options), subgraphs=bodies))
    main.tensors += [*condition, y]
    main.inputs += condition
    main.outputs = [y]
    model.subgraphs += dict.fromkeys(bodies.values())
    return model


def branches(then: Subgraph, otherwise: Subgraph) -> Model:
    bodies = {"then_subgraph_index": then, "else_subgraph_index": otherwise}
    return calling("IF", "IfOptions", bodies, [Tensor("condition", (), BOOL)])


def loop(repeated: Subgraph) -> Model:
    x, more = Tensor("x", (1, 3), FLOAT32), Tensor("more", (), BOOL)
    more.data = np.array(False)
    bodies = {"cond_subgraph_index": Subgraph("condition", [x, more], [x], [more]), "body_subgraph_index": repeated}
    return calling("WHILE", "WhileOptions", bodies, [])


def test_branches_are_followed(oracle_of: Callable[[str], Oracle]) -> None:
    made = batch(branches(body("RELU", "then"), body("TANH", "else")), 8)
    assert [t.shape for s in made.subgraphs[1:] for t in s.tensors] == [(8, 3)] * 4
    x = np.random.default_rng(0).normal(0, 1, (8, 3)).astype(np.float32)
    for condition, function in ((True, lambda y: np.maximum(y, 0)), (False, np.tanh)):
        (y,) = run(made, [x, np.array(condition)], oracle_of("ai-edge-litert"))
        assert np.allclose(y, function(np.tanh(x)), atol=1e-6)


def test_loops_are_followed() -> None:
    made = batch(loop(body("RELU", "body")), 8)
    assert [t.shape for s in made.subgraphs for t in s.tensors] == [(8, 3)] * 4 + [()] + [(8, 3)] * 2


SHARED = body("RELU", "shared")


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (branches(SHARED, SHARED), UnsupportedOp, "IF 'called': subgraph 'shared' has other callers"),
        (loop(body("SEGMENT_SUM", "body")), UnsupportedOp, "SEGMENT_SUM 'y': input 'x' changes"),
        (calling("SEGMENT_SUM", "CallOnceOptions", {"init_subgraph_index": SHARED}, []), UnsupportedOp, "SEGMENT_SUM"),
    ],
)
def test_control_flow_that_cannot_be_followed(model: Model, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        batch(model, 8)
