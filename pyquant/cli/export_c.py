"""`pyquant export-c`: a model as C source for microcontrollers."""

from __future__ import annotations

import re
from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import Source, data_options, force_option, model_argument


@click.command("export-c")
@model_argument
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="A folder.")
@click.option("--name", metavar="NAME", help="Names files and symbols.  [default: from the file's name]")
@click.option("--samples", "count", type=click.IntRange(0), default=3, show_default=True, help="Golden vectors.")
@data_options
@force_option
def command(
    model: Path,
    output: Path,
    name: str | None,
    count: int,
    source: Source,
    force: bool,
) -> None:
    """Write a model for TFLM: the bytes as an array, the operators to register, and vectors to test with."""
    opened = pq.open(model)
    given = source.feeds(opened, "reading")
    name = name or re.sub(r"\W|^(?=\d)", "_", model.stem, flags=re.ASCII)
    for path in pq.export_c(opened, output, name, given, count, overwrite=force):
        click.echo(path)
