"""`pyquant extract`, `split`, `merge`: parts of models, and models made of parts."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import check_outputs, force_option, model_argument, output_option, pairs, save_edited

PATH = click.Path(path_type=Path)


@click.command("extract")
@model_argument
@click.option("--from", "inputs", multiple=True, metavar="TENSOR", help="An input of the part.  [default: the model's]")
@click.option("--to", "outputs", multiple=True, metavar="TENSOR", help="An output of the part.  [default: the model's]")
@output_option
@force_option
def extract(model: Path, inputs: tuple[str, ...], outputs: tuple[str, ...], output: Path, force: bool) -> None:
    """Write the part of a model between tensors, by name or index. --from and --to may be repeated."""
    check_outputs(force, output)
    opened = pq.open(model)
    save_edited(opened, pq.extract(opened, inputs or None, outputs or None), output, force)


@click.command("split")
@model_argument
@click.option("--at", multiple=True, required=True, metavar="TENSOR", help="A tensor that crosses the cut.")
@click.option("-o", "--output", "paths", nargs=2, type=PATH, required=True, help="The two new files.")
@force_option
def split(model: Path, at: tuple[str, ...], paths: tuple[Path, Path], force: bool) -> None:
    """Cut a model in two at one or several tensors, by name or index."""
    check_outputs(force, *paths)
    opened = pq.open(model)
    for part, path in zip(pq.split(opened, at), paths, strict=True):
        save_edited(opened, part, path, force)


@click.command("merge")
@model_argument
@click.argument("second", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--bind", multiple=True, metavar="INPUT=TENSOR", help="An input of SECOND takes this tensor of MODEL.")
@output_option
@force_option
def merge(model: Path, second: Path, bind: tuple[str, ...], output: Path, force: bool) -> None:
    """Chain two models: SECOND goes on from the outputs of MODEL, by name, or in order where no names agree."""
    check_outputs(force, output)
    opened = pq.open(model)
    save_edited(opened, pq.merge(opened, pq.open(second), pairs(bind) or None), output, force)


commands = (extract, split, merge)
