"""Plans that do several nodes in one step give the bits of plans that do not, on every instruction set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from cases.case import Case, Value
from running import content, feeds
from test_fuse import IMAGES, new_node, padded
from test_memory import models
from test_ops import KINDS, NUMERICS

import pyquant as pq
from pyquant import native
from pyquant.dtypes import INT32
from pyquant.errors import ShapeError
from pyquant.graph import Model, Tensor
from pyquant.ops.build import Made, add, add_all
from pyquant.run.places import Places
from pyquant.wire import Record

RANDOM = 40  # models of each operator and type


def ops(model: Model, **options: object) -> list[str]:
    return [step.ops for step in pq.compile(model, **options).steps]


def apart(model: Model, **options: object) -> pq.Plan:
    """A plan with a step for each node, and memory for each tensor that is no view."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyquant.run.planning.placed", partial(Places, in_place=False, parts=False))
        patch.setattr(
            "pyquant.run.planning.Fusion.choose",
            lambda self, node, *seen: self.chooser.choose(*seen)._replace(node=node),
        )
        return pq.compile(model, **options)


def assert_same_bits(model: Model, given: list[np.ndarray], numerics: str = "tflite") -> None:
    """On one thread and on two, whatever is fused."""
    for isa in native.isas():
        expected = apart(model, isa=isa, numerics=numerics, exact_floats=True).run(*given)
        for threads in (1, 2):
            plan = pq.compile(model, threads, isa, numerics, exact_floats=True)
            for _ in range(2):  # the second time in memory that is not new
                found = plan.run(*given)
                same = [found[t].tobytes() == expected[t].tobytes() for t in model.main.outputs]
                assert all(same), f"{isa}, {threads} threads: {same}\n{plan}"


def weights(op: str, kind: str, window: tuple[int, int], channels: int) -> Value:
    """Of an operator for images of a kind, int8 ones with a scale for each channel."""
    shape, axis = ((20, *window, channels), 0) if op == "CONV_2D" else ((1, *window, channels), 3)
    if kind == "float32":
        return Value(shape)
    if kind.startswith("uint8"):
        return Value(shape, "uint8", 0.01, 127)
    return Value(shape, "int8", np.linspace(0.01, 0.02, shape[axis]), axis=axis, low=-127)


def paddings(op: str, kind: str) -> Iterator[tuple[Model, list[np.ndarray]]]:
    """PAD in front of an operator of windows, of random shapes that go together."""
    rng = np.random.default_rng(0)
    made = 0
    while made < RANDOM:
        height, width = map(int, rng.integers(1, 12, 2))
        image = replace(IMAGES.get(kind, IMAGES["float32"]), shape=(2, height, width, int(rng.choice([1, 3, 8, 17]))))
        window = (int(rng.integers(2, 5)), int(rng.integers(2, 5)))
        options: dict[str, object] = dict(zip(("stride_h", "stride_w"), rng.integers(1, 4, 2).tolist(), strict=True))
        filters = None
        if op == "MAX_POOL_2D":
            options |= {"filter_height": window[0], "filter_width": window[1]}
        else:
            filters = weights(op, kind, window, image.shape[3])
            dilations = rng.integers(1, 3, 2).tolist()
            options |= {"dilation_h_factor": dilations[0], "dilation_w_factor": dilations[1]}
            options |= {"depth_multiplier": 1} if op == "DEPTHWISE_CONV_2D" else {}
        options["padding"] = str(rng.choice(["VALID", "SAME"]))
        zeros = [(0, 0), *map(tuple, rng.integers(0, 3, (2, 2)).tolist()), (0, 0)]
        try:
            model = padded(op, image, filters, zeros, **options)
        except ShapeError:
            continue  # the window is larger than the padded image
        made += 1
        yield model, [image.random(rng)]


@pytest.mark.parametrize("op", ["CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D"])
@pytest.mark.parametrize("kind", [*IMAGES, "hybrid"])
def test_operators_of_windows_pad_themselves(op: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyquant.run.choose.WORTH_SHARING", 0)
    fused = 0
    for model, given in paddings(op, kind):
        fused += ops(model) == [f"PAD + {op}"]
        assert ops(model, keep="all") == ["PAD", op]
        assert_same_bits(model, given)
    able = op != "MAX_POOL_2D" or "zero" in kind
    assert (fused > RANDOM // 3) if able else not fused


def test_what_keeps_a_padding() -> None:
    image, filters = IMAGES["float32"], weights("CONV_2D", "float32", (3, 3), 3)
    around = [(0, 0), (1, 1), (2, 1), (0, 0)]
    model = padded("CONV_2D", image, filters, around)
    (pad, conv) = model.main.nodes
    (wide,) = pad.outputs
    assert ops(model) == ["PAD + CONV_2D"]
    assert ops(model, keep=[wide]) == ["PAD", "CONV_2D"]
    assert ops(model, observers=[wide]) == ["PAD", "observe", "CONV_2D"]
    assert ops(padded("CONV_2D", image, filters, [(1, 0), *around[1:]])) == ["PAD", "CONV_2D"]
    zeros_alone = [(0, 0), (3, 0), *around[2:]]  # under some window
    assert ops(padded("CONV_2D", image, filters, zeros_alone)) == ["PAD", "CONV_2D"]
    average = padded("AVERAGE_POOL_2D", image, None, around, filter_height=3, filter_width=3)
    assert ops(average) == ["PAD", "AVERAGE_POOL_2D"]
    model.main.outputs.append(wide)
    assert ops(model) == ["PAD", "CONV_2D"]
    w = conv.inputs[1]
    assert w is not None and w.data is not None
    model.main.outputs.remove(wide)
    w.data = np.where(w.data == w.data.max(), np.float32(np.inf), w.data)
    assert ops(model) == ["PAD", "CONV_2D"]


def test_a_padding_stays_for_others_that_read_it() -> None:
    model = padded("CONV_2D", IMAGES["int8"], weights("CONV_2D", "int8", (3, 3), 3), [(0, 0), (1, 1), (2, 1), (0, 0)])
    (wide,) = model.main.nodes[0].outputs
    top = replace(wide, name="top", shape=wide.shape[:3])
    axis = replace(model.main.nodes[0].inputs[1], name="axis", shape=(1,), buffer=None)  # type: ignore[type-var]
    axis.data = np.int32([3])
    model.main.tensors += [axis, top]
    model.main.nodes.append(new_node("REDUCE_MAX", [wide, axis], [top]))
    model.main.outputs.append(top)
    assert ops(model) == ["PAD", "PAD + CONV_2D", "REDUCE_MAX"]
    assert_same_bits(model, [IMAGES["int8"].random(np.random.default_rng(0))])


def constant(model: Model, name: str, value: list[int]) -> Tensor:
    tensor = Tensor(name, (len(value),), INT32)
    tensor.data = np.int32(value)
    model.main.tensors.append(tensor)
    return tensor


def like(model: Model, tensor: Tensor, name: str, *shape: int) -> Tensor:
    made = replace(tensor, name=name, shape=shape, shape_signature=None)
    model.main.tensors.append(made)
    return made


def within(case: Case) -> tuple[Model, list[np.ndarray]]:
    """A row's operator whose inputs are parts of longer ones, and whose outputs are between others in a longer one."""
    model, given = case.model(), case.feeds()
    main, before, after = model.main, [], []
    for i, x in enumerate(main.inputs):
        whole, flat = like(model, x, f"whole{i}", x.size + 4), like(model, x, f"part{i}", x.size)
        begin, size, shape = (
            constant(model, f"{n}{i}", v) for n, v in zip("bsf", ([3], [x.size], list(x.shape)), strict=True)
        )
        before += [new_node("SLICE", [whole, begin, size], [flat]), new_node("RESHAPE", [flat, shape], [x])]
        main.inputs[i] = whole
        given[i] = np.concatenate([given[i].ravel()[:1]] * 3 + [given[i].ravel(), given[i].ravel()[-1:]])
    for i, y in enumerate(list(main.outputs)):
        flat, joined = like(model, y, f"flat{i}", y.size), like(model, y, f"joined{i}", y.size + 6)
        ends = [like(model, y, f"first{i}", 3), like(model, y, f"last{i}", 3)]
        main.inputs += ends
        given += [np.ones(3, y.dtype.numpy), np.zeros(3, y.dtype.numpy)]
        join = new_node("CONCATENATION", [ends[0], flat, ends[1]], [joined])
        join.options = Record("ConcatenationOptions", axis=0)
        after += [new_node("RESHAPE", [y, constant(model, f"size{i}", [y.size])], [flat]), join]
        main.outputs[i] = joined
    main.nodes[:] = [*before, *main.nodes, *after]
    return model, given


@pytest.mark.parametrize("case", KINDS.values(), ids=KINDS.keys())
def test_kernels_read_and_write_parts_of_memory(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their outputs and nothing beside, wherever these begin."""
    numerics = NUMERICS[case.oracles[-1].partition(" ")[0]] if case.oracles else "tflite"
    if any(v is not None and v.dtype == "string" for v in (*case.inputs, case.output)):
        pytest.skip("strings are not in the arena")
    if pq.compile(case.model(), numerics=numerics).output_shapes is None:
        pytest.skip("shapes that follow from values")
    model, given = within(case)
    monkeypatch.setattr("pyquant.run.planning.placed", Places)  # whatever that costs
    monkeypatch.setattr("pyquant.run.choose.WORTH_SHARING", 0)
    kernels = [step.kernel for step in pq.compile(model, numerics=numerics).steps]
    own = kernels[2 * len(case.feeds()) : -2]
    works = {"view", "constant"}.isdisjoint(own)  # else what it makes is no memory of its own
    assert not works or kernels[0] == kernels[-1] == "view"
    assert_same_bits(model, given, numerics)


def random_graph(rng: np.random.Generator) -> Model:
    """Of operators that write over inputs, take parts, put together, or do neither, in C and in NumPy."""
    b = pq.Builder()
    tensors = [b.input(f"x{i}", (int(rng.integers(1, 4)), 4), "int32") for i in range(3)]
    tensors.append(b.constant("c", rng.integers(-9, 9, (2, 4)).astype(np.int32)))

    def pick(rows: int | None = None) -> Tensor:
        fitting = [t for t in tensors[-8:] if rows is None or t.shape[0] == rows]
        return fitting[rng.integers(len(fitting))]

    for i in range(int(rng.integers(5, 25))):
        x, name = pick(), f"y{i}"
        kind = rng.choice(["ADD", "MUL", "MAXIMUM", "NEG", "CONCATENATION", "SLICE", "SPLIT", "RESHAPE", "FLOOR_DIV"])
        if kind == "NEG":
            made = [add(b, "NEG", [x], name, "int32")]
        elif kind == "CONCATENATION":
            made = [add(b, kind, [x, *(pick() for _ in range(rng.integers(1, 3)))], name, "int32", axis=0)]
        elif kind == "SLICE":
            begin = b.constant(f"{name}/begin", np.int32([rng.integers(x.shape[0]), 0]))
            made = [add(b, kind, [x, begin, b.constant(f"{name}/size", np.int32([1, 4]))], name, "int32")]
        elif kind == "SPLIT":
            parts = [Made(f"{name}/{k}", "int32") for k in range(x.shape[0])]
            made = add_all(b, kind, [b.constant(f"{name}/axis", np.int32(0)), x], parts, num_splits=x.shape[0])
        elif kind == "RESHAPE":
            flat = add(b, kind, [x, b.constant(f"{name}/flat", np.int32([x.size]))], f"{name}/seen", "int32")
            made = [add(b, kind, [flat, b.constant(f"{name}/shape", np.int32([-1, 4]))], name, "int32")]
        else:
            made = [add(b, kind, [x, pick(x.shape[0])], name, "int32")]
        tensors += [t for t in made if t.shape[0] <= 8]
    return b.model([pick() for _ in range(rng.integers(1, 4))])


def test_random_graphs_keep_their_bits() -> None:
    rng, done = np.random.default_rng(0), Counter()
    for _ in range(300):
        model = random_graph(rng)
        given = [rng.integers(1, 1 << 20, t.shape).astype(np.int32) for t in model.main.inputs]
        made = [t for node in model.main.nodes for t in node.outputs]
        keep = [t for t in made if rng.random() < 0.1]
        for kept in ((), keep, "all"):
            try:
                expected = pq.interpret(model, given, keep=kept)
            except pq.RangeError:
                break  # divides by 0
            for in_place, parts in product((False, True), repeat=2):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr("pyquant.run.planning.placed", partial(Places, in_place=in_place, parts=parts))
                    plan = pq.compile(model, keep=kept)
                done.update(f"{step.op} {step.kernel == 'view'}" for step in plan.steps)
                for _ in range(2):
                    found = plan.run(*given)
                    assert found.keys() == expected.keys()
                    for t, array in expected.items():
                        assert np.array_equal(found[t], array), f"{t.name}\\n{plan}\\n{plan.timeline()}"
    assert min(done[f"{op} True"] for op in ("CONCATENATION", "SLICE", "SPLIT")) > 100


def test_an_input_that_is_kept_is_no_part_of_what_a_run_made() -> None:
    b = pq.Builder()
    x, y, z = (b.input(name, (4,)) for name in "xyz")
    part = add(b, "SLICE", [z, b.constant("begin", np.int32([1])), b.constant("size", np.int32([2]))], "part")
    model = b.model([add(b, "CONCATENATION", [x, y], "joined", axis=0), part])
    assert {step.kernel for step in pq.compile(model).steps} == {"view"}
    session = pq.compile(model, keep=[x, y, z]).session()
    before = session.run(*np.arange(12, dtype=np.float32).reshape(3, 4))
    for given in (x, y, z):
        session.value(given)[:] = 0
    assert all(np.array_equal(session.value(t), before[t]) for t in model.main.outputs)


def test_real_models_keep_their_bits(data_folder: Path) -> None:
    compared = 0
    for path in models(data_folder / "models"):
        model = pq.open(path)
        try:
            plan = apart(model, exact_floats=True)
        except pq.PyQuantError:
            continue  # does not run
        given = feeds(model)
        try:
            expected = plan.run(*given)
        except pq.PyQuantError:
            continue  # not on random numbers
        for options in ({"threads": 1}, {"threads": 2}, {"keep": "all"}):
            found = pq.compile(model, exact_floats=True, **options).run(*given)
            assert all(content(found[t]) == content(array) for t, array in expected.items()), (path, options)
        compared += 1
    assert compared > 200
