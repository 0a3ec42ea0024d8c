"""`pyquant edgetpu recover`: a model out of a compiled file."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import check_outputs, force_option, model_argument, output_option
from pyquant.edgetpu.recover import recovery
from pyquant.graph import Node
from pyquant.table import printable


@click.command("recover")
@model_argument
@click.option(
    "--like",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The model that it was compiled from, or one of the same operators and shapes.",
)
@output_option
@force_option
def command(model: Path, like: Path, output: Path, force: bool) -> None:
    """Write a model with the weights, biases and scales that a compiled file holds."""
    check_outputs(force, output)
    found = recovery(pq.open(model), pq.open(like))
    size = found.model.save(output, overwrite=force)
    click.echo(f"{output}: {size} bytes, constants of {len(found.layers)} layers recovered")
    _tell("not certain which layer is which, or the order of the weights", [x.node for x in found.layers if x.assumed])
    _tell(f"constants as in {like}, as those of the compiled file are not known", found.kept)


def _tell(what: str, nodes: list[Node] | tuple[Node, ...]) -> None:
    for node in nodes:
        click.echo(printable(f"{what}: {node.label}"))
