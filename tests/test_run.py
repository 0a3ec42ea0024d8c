"""Compiled plans equal the interpreter; misuse and unsound models get one clear error before C runs."""

import contextlib
import copy
import pickle
import threading
from dataclasses import replace

import numpy as np
import pytest

from pyquant import native
from pyquant.dtypes import DTYPES
from pyquant.errors import (
    BusyError,
    DataError,
    GraphError,
    OptionError,
    PyQuantError,
    RangeError,
    ShapeError,
    UnsupportedOp,
)
from pyquant.graph import Builder, Model, Quantization, Signature
from pyquant.ops import Launch
from pyquant.ops.build import Made, add, add_all
from pyquant.run import compile, interpret
from pyquant.run.choose import Chooser
from pyquant.wire import Record

RNG = np.random.default_rng(0)


def network(channels: int = 8, quantized: bool = False) -> Model:
    """Two convolutions, a view between them and a branch that skips the second; float32, or int8."""
    b = Builder()
    kind = "int8" if quantized else "float32"
    scale = Quantization.of(0.05, 3) if quantized else None
    x = b.input("x", (1, 12, 12, channels), kind, scale)
    y = convolution(b, x, "y", quantized)
    flat = add(b, "RESHAPE", [y, b.constant("flat_shape", np.int32([1, 144, channels]))], "flat", quantization=scale)
    image = add(b, "RESHAPE", [flat, b.constant("shape", np.int32([1, 12, 12, channels]))], "image", quantization=scale)
    z = convolution(b, image, "z", quantized)
    total = add(b, "ADD", [y, z], "sum", quantization=scale)
    return b.model([total, flat])


def convolution(b: Builder, x, name: str, quantized: bool):
    channels = x.shape[3]
    weights = RNG.normal(size=(channels, 3, 3, channels)).astype(np.float32)
    if not quantized:
        constants = [b.constant(f"{name}/w", weights), b.constant(f"{name}/b", np.zeros(channels, np.float32))]
        return add(b, "CONV_2D", [x, *constants], name, padding="SAME", stride_w=1, stride_h=1)
    w = b.constant(f"{name}/w", np.int8(weights * 30), quantization=Quantization.of(0.01))
    bias = b.constant(f"{name}/b", np.zeros(channels, np.int32), quantization=Quantization.of(0.0005))
    output = Quantization.of(0.05, 3)
    return add(b, "CONV_2D", [x, w, bias], name, quantization=output, padding="SAME", stride_w=1, stride_h=1)


def feed(model: Model, seed: int = 0) -> np.ndarray:
    x = model.main.inputs[0]
    values = np.random.default_rng(seed).normal(size=x.shape)
    return values.astype(np.float32) if x.dtype.is_float else np.int8(np.clip(values * 40, -128, 127))


def tensor(model: Model, name: str):
    return next(t for t in model.main.tensors if t.name == name)


@pytest.fixture(params=[False, True], ids=["float32", "int8"])
def model(request) -> Model:
    return network(quantized=request.param)


@pytest.mark.parametrize("isa", native.isas())
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_plan_equals_interpreter_on_every_tensor(model, isa, threads, monkeypatch):
    monkeypatch.setattr("pyquant.run.choose.WORTH_SHARING", 0)
    expected = interpret(model, feed(model), keep="all")
    found = compile(model, isa=isa, threads=threads, keep="all").run(feed(model))
    assert found.keys() == expected.keys()
    for t, array in found.items():
        assert array.dtype == t.dtype.numpy
        allowed = 1e-6 * np.abs(expected[t]).max() if array.dtype.kind == "f" else 0  # C may sum in another order
        np.testing.assert_allclose(array, expected[t], rtol=0, atol=allowed, err_msg=t.name)


def test_outputs_come_in_the_models_order(model):
    total, flat = compile(model)(feed(model))
    assert (total.shape, flat.shape) == ((1, 12, 12, 8), (1, 144, 8))


def test_reshape_between_computed_tensors_is_a_view(model):
    plan = compile(model)
    assert [s.kernel for s in plan.steps if s.op == "RESHAPE"] == ["view", "view"]
    assert "5 steps" in str(plan)


def test_memory_is_shared_between_tensors_that_never_live_together():
    b = Builder()
    x = y = b.input("x", (1, 12, 12, 8))
    for i in range(6):
        y = convolution(b, y, f"y{i}", False)
    model = b.model([y])
    one = x.size * 4
    assert compile(model).arena_bytes == 2 * one
    assert compile(model, keep="all").arena_bytes == 7 * one


def test_inputs_by_name_by_signature_name_and_by_tensor(model):
    x = model.main.inputs[0]
    model.signatures.append(Signature("serve", model.main, [("image", x)], []))
    plan, array = compile(model), feed(model)
    expected = plan(array)
    for outputs in (plan(x=array), plan(image=array), plan({x: array}), plan({"x": array})):
        np.testing.assert_array_equal(outputs, expected) if isinstance(outputs, np.ndarray) else None
        assert all(np.array_equal(a, e) for a, e in zip(outputs, expected, strict=True))


@pytest.mark.parametrize(
    ("arguments", "named", "error", "message"),
    [
        ([], {}, DataError, "input 'x' is missing"),
        ([np.zeros((1, 12, 12, 8), np.float32)] * 2, {}, DataError, "2 inputs given, the model takes 1"),
        ([np.zeros((1, 12, 12, 8))], {}, DataError, "'x': found element type float64, expected float32"),
        ([np.zeros((12, 12, 8), np.float32)], {}, ShapeError, r"found shape \(12, 12, 8\), .*add a first axis of 1"),
        ([np.zeros((5, 12, 12, 8), np.float32)], {}, ShapeError, "the model takes a batch of 1"),
        ([], {"y": 0}, DataError, "no input is 'y'; the inputs are 'x'"),
        ([np.zeros((1, 12, 12, 8), np.float32)], {"x": 0}, DataError, "input 'x' is given twice"),
    ],
)
def test_inputs_that_do_not_fit(arguments, named, error, message):
    with pytest.raises(error, match=message):
        compile(network())(*arguments, **named)


def test_inputs_of_any_layout_and_kind_of_array_fit():
    plan = compile(network(quantized=True))
    array = feed(network(quantized=True))
    expected = plan(array)[0]
    backwards = array[:, ::-1, ::-1].copy()[:, ::-1, ::-1]
    for given in (backwards, np.asfortranarray(array), np.ma.masked_array(array), memoryview(array)):
        np.testing.assert_array_equal(plan(given)[0], expected)
        np.testing.assert_array_equal(plan.session()(given)[0], expected)


@pytest.mark.parametrize(
    ("launch", "shared"),
    [
        (Launch(1000, cost=10, grain=12), False),
        (Launch(20_000, cost=10, grain=12), True),
        (Launch(49, cost=10_000, grain=7), True),
        (Launch(8, cost=128_000), True),
        (Launch(3, cost=10**6, grain=12), False),
        (Launch(0, grain=12), False),
    ],
)
def test_threads_take_whole_grains(launch, shared):
    chooser = Chooser.of(None, "tflite", threads=2)
    chunk = chooser._chunk(launch)
    assert (0 < chunk < launch.units) == shared
    assert not shared or chunk % launch.grain == 0
    assert replace(chooser, threads=1)._chunk(launch) >= launch.units


def test_outputs_are_the_callers_own():
    plan, array = compile(network(quantized=True)), feed(network(quantized=True))
    session = plan.session()
    for call in (plan, session):
        first = call(array)[0]
        first[...] = 0
        assert call(array)[0].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"isa": "vax"}, "isa: found 'vax', this machine has .*scalar"),
        ({"threads": 0}, "threads: found 0"),
        ({"numerics": "exact"}, "numerics: found 'exact'"),
        ({"threads": None}, "threads: found None"),
        ({"keep": "every"}, "keep: found 'every', expected tensors of the model, or 'all'"),
        ({"keep": ["x"]}, "keep: found .'x'., expected tensors"),
        ({"limits": (1, 2)}, r"limits: found \(1, 2\), expected Limits"),
    ],
)
def test_options_that_do_not_exist(options, message):
    with pytest.raises(OptionError, match=message):
        compile(network(), **options)


def test_what_is_no_model_and_what_cannot_be_copied():
    with pytest.raises(OptionError, match="model: found str, expected a Model"):
        compile("model.tflite")
    plan = compile(network())
    with pytest.raises(OptionError, match="runs: found 0"):
        plan.profile(runs=0)
    for copied in (copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="a Plan cannot be pickled or copied"):
            copied(plan)


def test_environment_chooses_the_isa(monkeypatch):
    monkeypatch.setenv("PYQUANT_ISA", "scalar")
    kernels = {s.kernel for s in compile(network()).steps} - {"view", "numpy"}
    assert kernels and all(k.endswith("_scalar") for k in kernels)


def test_only_what_was_kept_is_returned(model):
    y = tensor(model, "y")
    assert y not in compile(model).run(feed(model))
    assert y in compile(model, keep=[y]).run(feed(model))
    with pytest.raises(OptionError, match="tensor 'stray' never has a value"):
        compile(model, keep=[Builder().tensor("stray", (1,))])


def test_many_threads_call_one_plan():
    model = network()
    plan = compile(model, threads=2)
    expected = [plan(feed(model, seed)) for seed in range(8)]
    found = [None] * 8

    def call(seed: int) -> None:
        for _ in range(20):
            found[seed] = plan(feed(model, seed))

    workers = [threading.Thread(target=call, args=(seed,)) for seed in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for ours, theirs in zip(found, expected, strict=True):
        assert all(np.array_equal(a, e) for a, e in zip(ours, theirs, strict=True))


def test_a_session_serves_one_caller_at_a_time():
    session, array = compile(network()).session(), feed(network())
    session._claim()
    for call in (lambda: session(array), lambda: session.run(array), session.invoke):
        with pytest.raises(BusyError, match="running in another thread"):
            call()
    session._lock.release()
    assert len(session(array)) == 2


def test_observers_equal_numpy_over_several_runs():
    model = network()
    x, y, image = (tensor(model, name) for name in ("x", "y", "image"))
    session = compile(model, observers=[x, y, image]).session()
    values = []
    for seed in range(3):
        array = feed(model, seed)
        array[0, 0, 0, :3] = np.nan, np.inf, -np.inf if seed == 1 else 0
        session(array)
        values.append(interpret(model, [array], keep="all"))
    for t, seen in session.observations().items():
        everything = np.concatenate([v[t].ravel() for v in values])
        finite = everything[np.isfinite(everything)]
        assert (seen.low, seen.high, seen.count) == (finite.min(), finite.max(), everything.size)
        assert (seen.nan, seen.infinite) == (np.isnan(everything).sum(), np.isinf(everything).sum())
    session.forget()
    assert session.observations()[y].count == 0


def test_observers_take_float32_only():
    model = network(quantized=True)
    with pytest.raises(OptionError, match="tensor 'x' is int8, expected float32"):
        compile(model, observers=[model.main.inputs[0]])


def test_constant_nodes_are_computed_while_compiling():
    b = Builder()
    x = b.input("x", (1, 4))
    stored = np.float16(RNG.normal(size=(3, 4)))
    weights = add(b, "DEQUANTIZE", [b.constant("w16", stored)], "w", dtype_="float32")
    y = add(b, "FULLY_CONNECTED", [x, weights, None], "y")
    model = b.model([y])
    plan = compile(model, keep=[weights])
    assert plan.steps[0].kernel == "constant"
    array = RNG.normal(size=(1, 4)).astype(np.float32)
    values = plan.run(array)
    np.testing.assert_array_equal(values[weights], stored.astype(np.float32))
    np.testing.assert_allclose(values[y], interpret(model, [array])[y], rtol=1e-6)


def test_profile_times_every_step_that_does_work(model):
    plan = compile(model)
    timed = plan.profile(runs=3)
    assert [timing.step for timing in timed] == [s for s in plan.steps if s.kernel != "view"]
    assert all(timing.seconds > 0 for timing in timed)


def test_an_output_may_be_an_input_or_a_constant():
    b = Builder()
    x, c = b.input("x", (2,)), b.constant("c", np.float32([1, 2]))
    model = b.model([c, x, x])
    array = np.float32([3, 4])
    np.testing.assert_array_equal(compile(model)(array), [[1, 2], [3, 4], [3, 4]])


def test_an_input_may_have_any_name():
    b = Builder()
    x = b.input("self", (2,))
    assert compile(b.model([x]))(self=np.float32([1, 2])).tolist() == [1, 2]


def test_handles_cannot_be_fed():
    b = Builder()
    x = b.input("table", (2,), "variant")
    with pytest.raises(UnsupportedOp, match="'table' holds variant"):
        compile(b.model([x]))


def test_unknown_operators_are_named():
    b = Builder()
    x, y = b.input("x", (2,)), b.tensor("y", (2,))
    b.node("CUSTOM", [x], [y], custom_code="Mystery")
    model = b.model([y])
    for run in (compile, lambda m: interpret(m, [np.zeros(2, np.float32)])):
        with pytest.raises(UnsupportedOp, match=r"Mystery 'y': \(float32\) -> \(float32\)"):
            run(model)


def test_types_without_reference_are_named():
    b = Builder()
    x = b.input("x", (1, 4), "float64")
    add(b, "RELU", [x], "y")
    with pytest.raises(UnsupportedOp, match=r"RELU 'y': \(float64\) -> \(float64\)"):
        compile(b.model([b._subgraph.tensors[-1]]))


def unsound_shape(model: Model) -> None:
    tensor(model, "y").shape = (1, 12, 12, 7)


def unsound_size(model: Model) -> None:
    tensor(model, "x").shape = (1, 1 << 20, 1 << 20, 8)


def unsound_count(model: Model) -> None:
    model.main.nodes[0].inputs.append(None)


def unsound_missing(model: Model) -> None:
    model.main.nodes[0].inputs[1] = None


def unsound_order(model: Model) -> None:
    model.main.nodes.reverse()


def unsound_twice(model: Model) -> None:
    model.main.nodes.append(replace(model.main.nodes[0]))


def unsound_options(model: Model) -> None:
    model.main.nodes[0].options = Record("AddOptions")


def unsound_constant(model: Model) -> None:
    weights = tensor(model, "y/w")
    weights.buffer = replace(weights.buffer, data=weights.buffer.data[:-1])


def unsound_source(model: Model) -> None:
    model.main.nodes[0].inputs[1] = replace(tensor(model, "y/w"), buffer=None)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (unsound_shape, ShapeError, "CONV_2D 'y': .*12, 12, 8.* 'y' is declared .*12, 12, 7"),
        (unsound_size, RangeError, "'x' has shape .*past 2147483647 elements"),
        (unsound_count, GraphError, "CONV_2D 'y': found 4 inputs, expected at most 3"),
        (unsound_missing, GraphError, "CONV_2D 'y': input 'w.*' is missing"),
        (unsound_order, GraphError, "is read before it is written"),
        (unsound_twice, GraphError, "output 'y' already has a value"),
        (unsound_options, GraphError, "found options of AddOptions, expected Conv2DOptions"),
        (unsound_constant, GraphError, "y/w"),
        (unsound_source, GraphError, "'y/w' is read, but nothing writes it"),
    ],
)
def test_unsound_models_are_refused(spoil, error, message):
    model = network()
    spoil(model)
    with pytest.raises(error, match=message):
        compile(model)


def spoiled(t):
    """Every way in which one tensor's declaration may be wrong, as field values."""
    shapes = [(), (1, *t.shape), t.shape[1:], t.shape[::-1], (0, *t.shape[1:])]
    shapes += [tuple(n + (i == axis) for i, n in enumerate(t.shape)) for axis in range(len(t.shape))]
    scales = [0, -1, np.nan, np.inf, 1e-30, 1e30, [0.5, 0.5]]
    yield from ({"dtype": d} for d in DTYPES)
    yield from ({"shape": shape} for shape in shapes)
    yield from ({"quantization": Quantization.of(scale, zero)} for scale in scales for zero in (0, 1 << 40))
    yield {"quantization": None}


@pytest.mark.parametrize("quantized", [False, True], ids=["float32", "int8"])
def test_a_wrong_declaration_gives_our_error_or_runs(quantized):
    """Whatever one tensor claims to be, nothing but an error of ours, and never C reading what is not there."""
    for i, t in enumerate(network(quantized=quantized).main.tensors):
        for fields in spoiled(t):
            model = network(2, quantized)
            for name, value in fields.items():
                setattr(model.main.tensors[i], name, value)
            x = model.main.inputs[0]
            with contextlib.suppress(PyQuantError):
                compile(model)(np.zeros(x.shape, x.dtype.numpy))


def test_variables_start_at_zero_and_stay_in_the_session():
    b = Builder()
    x, state = b.input("x", (2,)), b.tensor("state", (2,), "int8", Quantization.of(0.5, 7), is_variable=True)
    y = add(b, "DEQUANTIZE", [state], "y", dtype_="float32")
    model = b.model([y, x])
    plan, array = compile(model), np.zeros(2, np.float32)
    session = plan.session()
    assert session(array)[0].tolist() == [0, 0]
    session._view(state)[...] = 9
    assert session(array)[0].tolist() == [1, 1]
    session.reset()
    assert session(array)[0].tolist() == [0, 0]


def codes_below(shape: tuple[int, ...], high: int, kind: str = "int32") -> np.ndarray:
    return np.random.default_rng(3).integers(0, high, shape).astype(kind)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("op", "inputs", "wrong", "bad", "message"),
    [
        ("GATHER", [RNG.random((40, 3)).astype("f4"), codes_below((50,), 40)], 1, 40, "outside the 40 elements"),
        ("GATHER", [codes_below((40,), 9, "int8"), codes_below((9, 5), 40, "int64")], 1, -1, "outside the 40 elements"),
        ("GATHER_ND", [codes_below((4, 5, 6), 9), codes_below((70, 2), 4)], 1, 5, "an index is outside"),
        ("SCATTER_ND", [codes_below((9, 2), 4), codes_below((9, 3), 9), [4, 5, 3]], 0, -2, "outside the"),
        ("DIV", [codes_below((4, 5), 9), codes_below((5,), 4) + 1], 1, 0, "division by zero"),
        ("FLOOR_DIV", [codes_below((4, 5), 9, "f4"), codes_below((4, 1), 4, "f4") + 1], 1, 0, "division by zero"),
        ("FLOOR_MOD", [codes_below((9,), 9, "i8"), codes_below((2, 9), 4, "i8") + 1], 1, 0, "division by zero"),
    ],
)
def test_a_value_without_result_is_refused_as_by_the_reference(threads, op, inputs, wrong, bad, message, monkeypatch):
    """And nothing after it runs: the reference then sees the inputs that the kernel saw."""
    monkeypatch.setattr("pyquant.run.choose.WORTH_SHARING", 0)
    b = Builder()
    constants = [b.constant("c", np.int32(a)) for a in inputs if isinstance(a, list)]
    inputs = [a for a in inputs if not isinstance(a, list)]
    tensors = [b.input(f"x{i}", a.shape, a.dtype.name) for i, a in enumerate(inputs)]
    copies = [
        add(b, "TRANSPOSE", [t, b.constant("order", np.arange(len(t.shape), dtype="i4"))], "copy") for t in tensors
    ]
    y = add(b, op, [*copies, *constants], "y")
    z = add(b, "TRANSPOSE", [y, b.constant("again", np.arange(len(y.shape), dtype="i4"))], "z")
    model = b.model([z])
    session = compile(model, threads=threads).session()
    assert not [s for s in session._plan.steps if s.kernel == "numpy"]
    expected = session(*inputs)
    np.testing.assert_array_equal(expected, interpret(model, inputs)[z])
    for place in (0, -1):
        spoiled = [a.copy() for a in inputs]
        spoiled[wrong].flat[place] = bad
        for run in (lambda given: interpret(model, given), lambda given: session(*given)):
            with pytest.raises(RangeError, match=message):
                run(spoiled)
    np.testing.assert_array_equal(session(*inputs), expected)


@pytest.mark.parametrize("target", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "bool", "float32"])
@pytest.mark.parametrize("numerics", ["tflite", "litert"])
def test_casts_of_what_no_integer_holds(target, numerics):
    ends = [2.0**7, 2.0**8, 2.0**15, 2.0**16, 2.0**31, 2.0**32, 2.0**63, 2.0**64, np.inf]
    array = np.float32(
        [np.nan, -0.0, 0.5, 1e-42, *(s * (e + d) for e in ends for d in (-0.5, 0, 0.5) for s in (-1, 1))]
    )
    b = Builder()
    y = add(b, "CAST", [b.input("x", array.shape)], "y", dtype_=target)
    model = b.model([y])
    plan = compile(model, numerics=numerics)
    assert plan.steps[0].kernel == "cast_f32_scalar"
    np.testing.assert_array_equal(plan(array), interpret(model, [array], numerics)[y])


@pytest.mark.parametrize("numerics", ["tflite", "litert"])
@pytest.mark.parametrize(("rows", "depth", "size"), [(3, 96, 32), (1, 12_288, 96), (2, 8192, 4096)])
def test_weights_with_a_scale_for_each_block(rows, depth, size, numerics, monkeypatch):
    monkeypatch.setattr("pyquant.run.choose.WORTH_SHARING", 0)
    b = Builder()
    scales = b.constant("scales", RNG.random((5, depth // size)).astype(np.float32))
    details = Record("BlockwiseQuantization", block_size=size, zero_points=-1)
    none = np.zeros(0, np.float32)
    blocks = Quantization(none, none.astype(np.int64), 0, details, {"scales": scales})
    w = b.constant("w", RNG.integers(-8, 8, (5, depth)).astype(np.int8), "int4", blocks)
    bias = b.constant("bias", RNG.random(5).astype(np.float32))
    y = add(b, "FULLY_CONNECTED", [b.input("x", (rows, depth)), w, bias], "y", fused_activation_function="RELU")
    model = b.model([y])
    array = RNG.normal(size=(rows, depth)).astype(np.float32)
    array[-1] *= rows == 1
    expected = interpret(model, [array], numerics)[y]
    for isa in native.isas():
        for threads in (1, 2):
            plan = compile(model, isa=isa, threads=threads, numerics=numerics)
            assert plan.steps[0].kernel.startswith("blockwise_f32s8")
            np.testing.assert_array_equal(plan(array), expected)


def test_numbers_that_come_again_and_settle_shapes_get_a_plan():
    b = Builder()
    x, times = b.input("x", (2, 3)), b.input("times", (2,), "int32")
    tiled = add(b, "TILE", [x, times], "tiled")
    model = b.model([add(b, "NEG", [tiled], "y")])
    session, array = compile(model).session(), RNG.random((2, 3)).astype(np.float32)
    for numbers in ([1, 2], [1, 2], [3, 1], [1, 2], [3, 1], [3, 1], [0, 1], [0, 1], *([i, 1] for i in range(40))):
        np.testing.assert_array_equal(session(array, np.int32(numbers)), -np.tile(array, numbers))
    for _ in range(3):
        with pytest.raises(ShapeError, match="multiples"):
            session(array, np.int32([-1, 1]))


@pytest.mark.parametrize("count", [1, 50, 1000])
def test_the_greatest_of_many(count):
    """Of equals the first, and what is not a number before all."""
    array = np.random.default_rng(count).integers(0, 90, (2, 1000)).astype(np.float32)
    array[:, ::17] = np.nan
    array[1].sort()
    b = Builder()
    made = [Made("y"), Made("places", "int32")]
    model = b.model(add_all(b, "TOPK_V2", [b.input("x", array.shape), b.constant("k", np.int32(count))], made))
    plan, expected = compile(model), interpret(model, [array])
    assert plan.steps[0].kernel == "top_f32_scalar"
    for found, tensor in zip(plan(array), model.main.outputs, strict=True):
        np.testing.assert_array_equal(found, expected[tensor])


def test_what_the_file_holds_of_an_input_settles_nothing():
    b = Builder()
    start, limit, step = (b.constant(name, np.int32(n)) for name, n in (("start", 4), ("limit", 9), ("step", 5)))
    y = add(b, "RANGE", [start, limit, step], "y")
    model = b.model([y])
    model.main.inputs.append(start)
    y.shape_signature = (-1,)
    for run in (compile(model), lambda x: interpret(model, [x])[y]):
        assert run(np.int32(-6)).tolist() == [-6, -1, 4]
