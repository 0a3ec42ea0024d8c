"""Recipes of steps: each step does what its function does, wrong ones are refused before anything is done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from networks import network, samples

import pyquant as pq
from pyquant.advise import load_steps
from pyquant.cli.main import main
from pyquant.graph import dump

STEPS = [
    {"step": "prune", "sparsity": 0.5, "pattern": "1x4", "data": None},
    {"step": "quantize", "scheme": "int8"},
    {"step": "encode_sparse"},
]


def test_steps_do_what_their_functions_do() -> None:
    model, feeds = network(), samples()
    before = dump(model)
    by_hand = pq.encode_sparse(pq.quantize(pq.prune(model, 0.5, pattern="1x4"), "int8", data=feeds))
    assert dump(pq.pipeline(model, STEPS, feeds)) == dump(by_hand)
    assert dump(model) == before
    with_data = pq.quantize(pq.prune(model, 0.5, pattern="1x4", data=feeds), "dynamic")
    steps = [
        {"step": "prune", "sparsity": 0.5, "pattern": "1x4"},
        {"step": "quantize", "scheme": "dynamic", "data": None},
    ]
    assert dump(pq.pipeline(model, steps, iter(feeds))) == dump(with_data)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"step": "shrink"}, "step 0: found 'shrink', expected .* one of fold, "),
        ("prune", "step 0: found 'prune'"),
        ({"step": "prune", "sparcity": 0.5}, "step 0, prune: found option 'sparcity', expected sparsity, "),
        ({"step": "quantize"}, "step 0, quantize: option 'scheme' is missing"),
    ],
)
def test_wrong_steps_are_named(step: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(pq.RecipeError, match=message):
        pq.pipeline(network(), [step])
    path = tmp_path / "steps.json"
    path.write_text(json.dumps({"steps": [step]}))
    with pytest.raises(pq.RecipeError, match=f"steps.json: {message}"):
        load_steps(path)


@pytest.mark.parametrize(("text", "message"), [("[", "is no JSON"), ('{"passes": []}', "expected a list of steps")])
def test_files_that_hold_no_steps(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "steps.json"
    path.write_text(text)
    with pytest.raises(pq.RecipeError, match=message):
        load_steps(path)
    with pytest.raises(pq.FileError, match="cannot read"):
        load_steps(tmp_path / "none.json")


def test_the_command_writes_a_file(tmp_path: Path) -> None:
    model, recipe = tmp_path / "model.tflite", tmp_path / "small.json"
    network().save(model)
    recipe.write_text(json.dumps([{"step": "prune", "sparsity": 0.5}, {"step": "quantize", "scheme": "float16"}]))
    told = CliRunner().invoke(main, ["compress", str(model), "--recipe", str(recipe)], catch_exceptions=False)
    assert told.exit_code == 0
    assert told.output.startswith(f"{tmp_path / 'model_small.tflite'}: ")
    by_hand = pq.quantize(pq.prune(pq.open(model), 0.5), "float16")
    assert (tmp_path / "model_small.tflite").read_bytes() == dump(by_hand)
    again = CliRunner().invoke(main, ["compress", str(model), "--recipe", str(recipe)])
    assert again.exit_code == 1
    assert "exists" in again.output
