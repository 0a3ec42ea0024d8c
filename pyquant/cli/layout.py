"""`pyquant layout`: where a file keeps its constants."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import check_outputs, force_option, model_argument, output_option


@click.command("layout")
@model_argument
@click.option("--to", type=click.Choice(["inline", "offset", "external"]), help="[default: inline, offset past 2 GiB]")
@click.option("--drop-newer", is_flag=True, help="Lose what is of a newer schema than pyquant's.")
@output_option
@force_option
def command(model: Path, to: str | None, drop_newer: bool, output: Path, force: bool) -> None:
    """Write constants inside the flatbuffer, behind it, or into a file beside it.

    Files past 2 GiB keep them behind the flatbuffer or beside it; microcontrollers and the Edge TPU compiler read only
    what is inside.
    """
    check_outputs(force, output)
    opened = pq.open(model)
    for warning in opened.warnings:
        click.echo(warning, err=True)
    size = opened.save(output, overwrite=force, layout=to, drop_newer=drop_newer)
    click.echo(f"{output}: {size} bytes (before: {model.stat().st_size})")
