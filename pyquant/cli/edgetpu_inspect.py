"""`pyquant edgetpu inspect`: what is in a compiled file, and whether it is of a given source."""

from __future__ import annotations

from pathlib import Path

import click

from pyquant import edgetpu
from pyquant.cli.console import json_option, model_argument, print_json, terminal_width
from pyquant.edgetpu.text import text


@click.command("inspect")
@model_argument
@click.option(
    "--source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The model that it may have been compiled from: exit code 1 where it was not.",
)
@json_option
def command(model: Path, source: Path | None, as_json: bool) -> None:
    """Show what the Edge TPU compiler put into a file: packages, executables, layers, what stayed on the CPU."""
    found = edgetpu.inspect(model, source)
    if as_json:
        print_json({"file": str(model), "bytes": model.stat().st_size, **found.to_dict()})
    else:
        click.echo(text(found, terminal_width()))
    if found.same is False:
        raise SystemExit(1)
