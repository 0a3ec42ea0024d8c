"""`pyquant fold`, `fuse`, `batch`, `resize`, `io-type`: the same computation by other nodes, shapes or types."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import check_outputs, force_option, model_argument, output_option, pairs, save_edited


@click.command("fold")
@model_argument
@click.option("--keep-casts", is_flag=True, help="Leave constants that are cast, such as float16 weights, small.")
@output_option
@force_option
def fold(model: Path, keep_casts: bool, output: Path, force: bool) -> None:
    """Compute constants now; take out casts that cancel, reshapes of reshapes, and what nobody reads."""
    check_outputs(force, output)
    opened = pq.open(model)
    save_edited(opened, pq.fold(opened, casts=not keep_casts), output, force)


@click.command("fuse")
@model_argument
@output_option
@force_option
def fuse(model: Path, output: Path, force: bool) -> None:
    """Let convolutions and their like do the activations behind and the padding before them."""
    check_outputs(force, output)
    opened = pq.open(model)
    save_edited(opened, pq.fuse(opened), output, force)


@click.command("batch")
@model_argument
@click.argument("size", type=click.IntRange(1))
@output_option
@force_option
def batch(model: Path, size: int, output: Path, force: bool) -> None:
    """Take and return SIZE samples at a time."""
    check_outputs(force, output)
    opened = pq.open(model)
    save_edited(opened, pq.batch(opened, size), output, force)


def shape(text: str) -> tuple[int, ...]:
    """1x224x224x3"""
    try:
        return tuple(int(n) for n in text.split("x"))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a shape such as 1x224x224x3", param_hint="--input") from None


@click.command("resize")
@model_argument
@click.option("--input", "inputs", multiple=True, required=True, metavar="NAME=1x256x256x3", help="An input's shape.")
@output_option
@force_option
def resize(model: Path, inputs: tuple[str, ...], output: Path, force: bool) -> None:
    """Give inputs other shapes, and all that follows from them. --input may be repeated."""
    check_outputs(force, output)
    opened = pq.open(model)
    save_edited(opened, pq.resize(opened, {name: shape(text) for name, text in pairs(inputs).items()}), output, force)


TYPE = "TYPE or NAME=TYPE"


@click.command("io-type")
@model_argument
@click.option("--input", "inputs", multiple=True, metavar=TYPE, help="float32, int8, uint8 or int16, for all or one.")
@click.option("--output", "outputs", multiple=True, metavar=TYPE, help="The same, for outputs.")
@click.option("-o", "target", required=True, type=click.Path(path_type=Path), help="The new file.")
@force_option
def io_type(model: Path, inputs: tuple[str, ...], outputs: tuple[str, ...], target: Path, force: bool) -> None:
    """Change the types of inputs and outputs; inside, the model stays as it is. By name, options may be repeated."""
    check_outputs(force, target)
    opened = pq.open(model)
    save_edited(opened, pq.io_type(opened, _types(inputs), _types(outputs)), target, force)


def _types(given: tuple[str, ...]) -> str | dict[str, str] | None:
    """None, one type for all, or types by name."""
    return given[0] if len(given) == 1 and "=" not in given[0] else pairs(given) or None


commands = (fold, fuse, batch, resize, io_type)
