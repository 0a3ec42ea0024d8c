"""Recipes: rules by scope and type, mixed precision in one model, and litert-quantizer's JSON."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from networks import assert_obeys_slots, network, normal, runs_in_oracles, samples

import pyquant as pq
from pyquant.ops.build import add
from pyquant.quantize import parameters, recipe
from pyquant.quantize.recipe import BLOCKS, NAMED, SCHEMES, Rule
from pyquant.quantize.recipe_json import dumps, from_rules, loads, to_rules

INT8, INT16 = Rule(weights="int8", activations="int8"), Rule(weights="int8", activations="int16")
# As litert-quantizer 0.11 writes it.
PLAIN = {
    "compute_precision": "FLOAT",
    "explicit_dequantize": False,
    "skip_checks": False,
    "min_weight_elements": 0,
}
WEIGHTS = {"num_bits": 8, "symmetric": True, "granularity": "CHANNELWISE", "dtype": "INT"}
STATIC = {
    "activation_tensor_config": {"num_bits": 8, "symmetric": False, "granularity": "TENSORWISE", "dtype": "INT"},
    "weight_tensor_config": WEIGHTS,
    **PLAIN,
    "compute_precision": "INTEGER",
}
HALF = {
    "weight_tensor_config": {**WEIGHTS, "num_bits": 16, "dtype": "FLOAT"},
    **PLAIN,
    "explicit_dequantize": True,
}
THEIRS = [
    {"regex": ".*", "operation": "*", "algorithm_key": "min_max_uniform_quantize", "op_config": STATIC},
    {"regex": "up", "operation": "CONV_2D_TRANSPOSE", "algorithm_key": "OCTAV", "op_config": STATIC},
    {"regex": "big", "operation": "FULLY_CONNECTED", "algorithm_key": "float_casting", "op_config": HALF},
    {"regex": "logits", "operation": "FULLY_CONNECTED", "algorithm_key": "no_quantize", "op_config": PLAIN},
]


def kinds(model: pq.Model) -> dict[str, str]:
    """The type of what each operator makes."""
    return {t.name: t.dtype.name for node in model.main.nodes for t in node.outputs}


def test_rules_come_back_from_json_as_they_were_written() -> None:
    assert to_rules(from_rules(THEIRS)) == THEIRS
    for made in (*SCHEMES.values(), *NAMED.values()):
        assert to_rules(loads(dumps(made))) == to_rules(made)


def test_what_only_recipes_of_ours_say_comes_back_too() -> None:
    rules = [Rule(weights="int8", method="octav", rounding="adaround", equalization="migration"),
             Rule(weights="int4", method="min_max", rounding="gptq")]  # fmt: skip
    made = recipe(rules, newer_axes=True, newer_kernels=True, one_scale=True, input_type=None, output_type=None)
    again = loads(dumps(made))
    assert [rule for rule in again.rules if rule.operation == "*"] == list(made.rules)
    assert (again.newer_kernels, again.one_scale, again.litert) == (True, True, False)
    assert not loads(dumps(recipe("int8"))).newer_kernels


@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_read_from_its_json_makes_the_same_file(name: str) -> None:
    model, feeds = network(), samples(2)
    for options in ({}, {"input_type": "int8", "output_type": "uint8"} if name == "int8" else {}):
        stated = recipe(name, min_weight_elements=1, **options)
        a, b = (pq.graph.dump(pq.quantize(model, r, data=feeds)) for r in (stated, loads(dumps(stated))))
        assert a == b


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([{"operation": "*", "algorithm_key": "MSE"}], "rule 0 of rules: 'regex' is missing"),
        ([{**THEIRS[0], "algorithm_key": "OSCAR"}], "'OSCAR' is not one of no_quantize"),
        ([{**THEIRS[0], "op_config": {**STATIC, "weight_tensor_config": None}}], "which no kernel does"),
        (
            [{**THEIRS[0], "op_config": {**STATIC, "weight_tensor_config": {**WEIGHTS, "granularity": "ROWS"}}}],
            "granularity 'ROWS' is not one of",
        ),
    ],
)
def test_json_that_cannot_be_followed_is_refused(rules: list[dict[str, object]], message: str) -> None:
    with pytest.raises(pq.RecipeError, match=message):
        from_rules(rules)


def test_text_that_is_no_list_of_rules_is_refused() -> None:
    for text, message in (("{", "not JSON"), ("{}", "found {}"), ("[1, 2]", "found 1")):
        with pytest.raises(pq.RecipeError, match=message):
            loads(text, "mine.json")


@pytest.mark.parametrize("name", NAMED)
def test_named_recipes_make_files_that_run(name: str) -> None:
    small = pq.quantize(network(), name, data=samples())
    x = small.main.inputs[0]
    assert x.dtype.name == (f"int{name.rpartition('ai')[2]}" if name.startswith("static") else "float32")
    assert x.dtype.numpy is not None
    runs_in_oracles(small, [np.zeros(x.shape, x.dtype.numpy)], newer=True)


def test_one_model_computes_in_several_types() -> None:
    """The last rule that names an operator wins."""
    model, feeds = network(), samples()
    rules = [INT8, replace(INT16, regex="both|halved|pooled|right"), Rule("^left$"), replace(INT8, regex="^right$")]
    small = pq.quantize(model, rules, data=feeds)
    assert_obeys_slots(small)
    found = kinds(small)
    assert [found[name] for name in ("stem", "left", "right", "both", "halved")] == [
        "int8", "float32", "int8", "int16", "int16"
    ]  # fmt: skip
    runs_in_oracles(small, feeds[:1])
    newer = pq.quantize(model, rules, data=feeds, newer_kernels=True)  # those cast int8 to int16 in one step
    runs_in_oracles(newer, feeds[:1], newer=True)
    assert len(newer.main.nodes) < len(small.main.nodes)
    expected, ours = pq.interpret(model, feeds[:1]), pq.interpret(small, feeds[:1])
    for before, after in zip(model.main.outputs, small.main.outputs, strict=True):
        assert np.abs(expected[before] - ours[after]).max() <= 0.02


def test_an_operator_that_cannot_follow_a_rule_follows_the_one_before() -> None:
    b = pq.Builder()
    x = b.input("x", (1, 4, 4, 8))
    y = add(b, "HARD_SWISH", [x], "swish")
    model = b.model([add(b, "SPACE_TO_DEPTH", [y], "y", block_size=2)])
    data = [np.ones((1, 4, 4, 8), np.float32)]
    made = pq.quantize(model, [INT8, INT16], data=data)
    assert {kinds(made)["swish"], kinds(made)["y"]} <= {"int8", "int16", "float32"}
    assert "int8" in kinds(made).values()
    assert pq.assign(model, [INT8, INT16], data=data).kept_float == []


def test_symmetric_activations_have_the_zero_point_0() -> None:
    small = pq.quantize(network(), [replace(INT8, symmetric=True)], data=samples())
    codes = [t for t in small.main.tensors if t.dtype.name == "int8" and not t.name.startswith(("gate", "y"))]
    assert codes and not any(t.quantization is None or t.quantization.zero_point.any() for t in codes)
    runs_in_oracles(small, samples(1))


def test_a_rule_that_names_nothing_is_refused() -> None:
    with pytest.raises(
        pq.RecipeError, match=r"rule 1 of rules \('stm' \*\) names nothing of this model, which has CON"
    ):
        pq.quantize(network(), [INT8, Rule("stm")], data=samples())
    pq.quantize(network(), [INT8, Rule(operation="SVDF")], data=samples())  # a general rule, for models that have some


@pytest.mark.parametrize("method", parameters.METHODS)
def test_ranges_of_weights_clip_where_that_helps(method: str) -> None:
    w = np.random.default_rng(1).normal(0, 1, (4, 4096)).astype(np.float32)
    w[1] = 0

    def error(scales: np.ndarray) -> np.ndarray:
        stored = np.clip(np.rint(w / scales[:, None]), -7, 7) * scales[:, None]
        return np.square(stored - w).mean(axis=1)[[0, 2, 3]]

    plain = parameters.weight_scales(w, 0, bits=4)
    scales = parameters.weight_scales(w, 0, bits=4, method=method)
    assert (scales > 0).all() and (scales[[0, 2, 3]] <= plain[[0, 2, 3]]).all()
    assert method == "min_max" or (error(scales) < 0.7 * error(plain)).all()


@pytest.mark.parametrize("size", BLOCKS)
def test_weights_in_blocks(size: int) -> None:
    b = pq.Builder()
    x = b.input("x", (4, 512))
    w = normal(24, 512) * np.repeat(np.random.default_rng(3).uniform(0.1, 3, (24, 16)), 32, axis=1)
    y = add(b, "FULLY_CONNECTED", [x, b.constant("w", w.astype(np.float32)), b.constant("b", normal(24))], "y")
    model = b.model([y])
    rule = Rule(weights="int4", granularity=f"block{size}")
    small = pq.quantize(model, [rule])
    weight = small.main.nodes[0].inputs[1]
    assert weight is not None and weight.quantization is not None and weight.quantization.details.block_size == size
    assert weight.quantization.tensors["scales"].shape == (24, 512 // size)
    runs_in_oracles(small, [normal(4, 512)], newer=True)
    again = loads(dumps(recipe([rule])))
    assert again.rules == (rule,)
    feed = normal(4, 512)
    expected, ours = (pq.compile(m)(feed) for m in (model, small))
    plain = pq.compile(pq.quantize(model, [replace(rule, granularity="channel")], newer_axes=True))(feed)
    assert size > 64 or np.square(ours - expected).sum() < 0.8 * np.square(plain - expected).sum()
    back = pq.dequantize(small).main.nodes[0].inputs[1]
    assert back is not None and back.data is not None
    blocks = np.abs(back.data - w).reshape(24, -1, size).max(axis=2)
    assert (blocks <= 0.51 * weight.quantization.tensors["scales"].data.astype(np.float32)).all()


def test_blocks_are_of_rows_that_they_divide() -> None:
    b = pq.Builder()
    x = b.input("x", (4, 40))
    model = b.model([add(b, "FULLY_CONNECTED", [x, b.constant("w", normal(8, 40)), None], "y")])
    with pytest.raises(pq.RecipeError, match="no kernel takes int4 weights in blocks of 32"):
        pq.quantize(model, [Rule(weights="int4", granularity="block32")])
    with pytest.raises(pq.RecipeError, match="only int4 weights with float activations"):
        pq.quantize(model, [replace(INT8, granularity="block32")], data=[normal(4, 40)])


def test_narrow_weights_stay_float_where_no_kernel_reads_them() -> None:
    b = pq.Builder()
    x, w = b.input("x", (1, 4, 4, 8)), b.constant("w", normal(1, 3, 3, 8))
    spread = add(b, "DEPTHWISE_CONV_2D", [x, w, b.constant("b", normal(8))], "spread", stride_h=1, stride_w=1)
    filters, zeros = b.constant("filters", normal(8, 1, 1, 8)), b.constant("zeros", np.zeros(8, np.float32))
    model = b.model([add(b, "CONV_2D", [spread, filters, zeros], "y", stride_h=1, stride_w=1)])
    made = pq.assign(model, [Rule(weights="int4")])
    assert made.kept_float == [("DEPTHWISE_CONV_2D 'spread'", "no kernel takes int4 weights with float activations")]
    small = pq.quantize(model, [Rule(weights="int4")])
    assert [n.inputs[1].dtype.name for n in small.main.nodes if n.inputs[1]] == ["float32", "int4"]
    runs_in_oracles(small, [np.ones(x.shape, np.float32)], newer=True)


@pytest.mark.parametrize(("weights", "newer", "scales"), [("int8", False, 1), ("int8", True, 10), ("int4", True, 10)])
def test_a_table_that_is_gathered_from_is_a_weight(weights: str, newer: bool, scales: int) -> None:
    b = pq.Builder()
    rows, table = b.input("rows", (3,), "int32"), b.constant("table", normal(10, 8))
    model = b.model([add(b, "GATHER", [table, rows], "y", axis=0)])
    made = pq.quantize(model, [Rule(weights=weights, cast_weights=True)], newer_axes=newer)
    stored = next(t for t in made.main.tensors if t.dtype.name == weights)
    assert stored.quantization is not None and stored.quantization.scale.size == scales
    feeds = [np.int32([7, 0, 9])]
    (theirs,) = runs_in_oracles(made, feeds, newer)
    np.testing.assert_array_equal(pq.compile(made)(*feeds), theirs)
    with pytest.raises(pq.RecipeError, match="no kernel takes int8 weights with float activations"):
        pq.quantize(model, "dynamic", min_weight_elements=0)
