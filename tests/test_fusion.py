"""Plans that do several nodes in one step give the bits of plans that do not, on every instruction set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from cases.case import Value
from test_fuse import IMAGES, new_node, padded

import pyquant as pq
from pyquant import native
from pyquant.errors import ShapeError
from pyquant.graph import Model

RANDOM = 40  # models of each operator and type


def ops(model: Model, **options: object) -> list[str]:
    return [step.ops for step in pq.compile(model, **options).steps]


def assert_same_bits(model: Model, feeds: list[np.ndarray]) -> None:
    """As by the references, which do one node after the other, on one thread and on two."""
    expected = pq.interpret(model, feeds)
    for isa in native.isas():
        for threads in (1, 2):
            plan = pq.compile(model, isa=isa, threads=threads, exact_floats=True)
            for _ in range(2):  # the second time in memory that is not new
                found = plan.run(*feeds)
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
    for model, feeds in paddings(op, kind):
        fused += ops(model) == [f"PAD + {op}"]
        assert ops(model, keep="all") == ["PAD", op]
        assert_same_bits(model, feeds)
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
