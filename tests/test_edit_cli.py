"""The verbs that edit a file: what they write, what they say, and how they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_cli import assert_fails, folder, run

import pyquant as pq

__all__ = ["folder"]

# verb and options, a file of the demo, the types of the result's input and of its weights
WRITTEN = [
    (["dequantize"], "int8", "float32", "float32"),
    (["dequantize"], "dynamic", "float32", "float32"),
    (["retype", "--to", "int16x8"], "int8", "float32", "int8"),
    (["retype", "--to", "per-tensor"], "int8", "float32", "int8"),
    (["retype", "--to", "int8"], "int16x8", "float32", "int8"),
    (["fold"], "float16", "float32", "float32"),
    (["fold", "--keep-casts"], "float16", "float32", "float16"),
    (["fuse"], "int8", "float32", "int8"),
    (["batch", "8"], "int8", "float32", "int8"),
    (["resize", "--input", "image=4x8x8x1"], "dynamic", "float32", "int8"),
    (["io-type", "--input", "uint8", "--output", "int8"], "int8", "uint8", "int8"),
    (["io-type", "--input", "image=int16"], "int8", "int16", "int8"),
    (["extract", "--to", "logits"], "float32", "float32", "float32"),
    (["extract", "--to", "3"], "float32", "float32", "float32"),
    (["rename", "--tensor", "image=pixels"], "int8", "float32", "int8"),
    (["rename", "--add-signature", "classify"], "int8", "float32", "int8"),
    (["reorder", "--inputs", "image"], "int8", "float32", "int8"),
    (["strip"], "int8", "float32", "int8"),
    (["dedupe"], "int8", "float32", "int8"),
    (["layout", "--to", "offset"], "int8", "float32", "int8"),
]
# the same, the exit code and what is said on stderr
REFUSED = [
    (["retype"], "int8", 2, "--to"),
    (["retype", "--to", "int5"], "int8", 2, "int5"),
    (["retype", "--to", "int8"], "float32", 1, "none computes in uint8 or int8 or int16"),
    (["batch", "0"], "int8", 2, "SIZE"),
    (["resize", "--input", "image"], "int8", 2, "="),
    (["resize", "--input", "image=large"], "int8", 2, "'large' is not a shape"),
    (["resize", "--input", "image=8x8"], "int8", 1, "expected sizes in place of (1, 8, 8, 1)"),
    (["resize", "--input", "image=1x16x16x1"], "int8", 1, "FULLY_CONNECTED 'logits'"),
    (["resize", "--input", "sound=1x8x8x1"], "int8", 1, "the inputs are 'image'"),
    (["io-type", "--input", "int5"], "int8", 1, "int5"),
    (["io-type", "--input", "int8", "--input", "uint8"], "int8", 2, "="),
    (["io-type", "--input", "int8"], "float32", 1, "CONV_2D"),
    (["extract", "--to", "logit"], "float32", 1, "no tensor 'logit'; did you mean 'logits'?"),
    (["rename", "--tensor", "image"], "float32", 2, "expected two names with ="),
    (["rename", "--signature", "a=b"], "float32", 1, "no signature is called 'a'"),
    (["reorder", "--outputs", "image"], "float32", 1, "outputs: expected each of"),
    (["reorder", "--signatures", "a"], "float32", 1, "signatures: expected each of [] once, found ['a']"),
    (["layout", "--to", "outside"], "float32", 2, "'outside' is not one of"),
]


def name(row: object) -> str:
    return " ".join(row) if isinstance(row, list) else ""


@pytest.mark.parametrize(("arguments", "source", "input_type", "weight_type"), WRITTEN, ids=name)
def test_an_edit_is_written_and_told(
    arguments: list[str], source: str, input_type: str, weight_type: str, folder: Path, tmp_path: Path
) -> None:
    target, model = tmp_path / "edited.tflite", folder / f"digits_{source}.tflite"
    verb, *options = arguments
    result = run(verb, model, "-o", target, *options)
    assert result.exit_code == 0, result.output
    assert f"{target}: {target.stat().st_size} bytes" in result.stdout
    edited = pq.open(target).main
    assert edited.inputs[0].dtype.name == input_type
    assert max((t for t in edited.tensors if t.is_constant), key=lambda t: t.size).dtype.name == weight_type
    assert_fails(run(verb, model, "-o", target, *options), 1, "--force overwrites it")
    assert run(verb, model, "-o", target, *options, "--force").exit_code == 0


@pytest.mark.parametrize(("arguments", "source", "code", "message"), REFUSED, ids=name)
def test_an_edit_is_refused(
    arguments: list[str], source: str, code: int, message: str, folder: Path, tmp_path: Path
) -> None:
    verb, *options = arguments
    result = run(verb, folder / f"digits_{source}.tflite", "-o", tmp_path / "edited.tflite", *options)
    assert_fails(result, code, message)
    assert not list(tmp_path.iterdir())


def test_halves_are_split_and_merged(folder: Path, tmp_path: Path) -> None:
    model, first, second, whole = folder / "digits_int8.tflite", *(tmp_path / name for name in "abc")
    result = run("split", model, "--at", "logits", "-o", first, second)
    assert result.exit_code == 0, result.output
    assert_fails(run("split", model, "--at", "logits", "-o", first, second), 1, "--force overwrites it")
    for bound in ([], ["--bind", "logits=logits"]):
        assert run("merge", first, second, "-o", whole, "--force", *bound).exit_code == 0
        assert pq.diff(pq.open(model), pq.open(whole)).same
    assert_fails(run("merge", first, model, "-o", tmp_path / "d"), 1, "input 'image' takes")
