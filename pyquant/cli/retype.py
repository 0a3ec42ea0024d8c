"""`pyquant retype`: a quantized model in other integer types."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import check_outputs, force_option, model_argument, output_option, save_edited
from pyquant.quantize import RETYPES, apply, reassign


@click.command("retype")
@model_argument
@output_option
@click.option("--to", type=click.Choice(RETYPES), required=True, help="per-tensor: one scale for each weight.")
@force_option
def command(model: Path, output: Path, to: str, force: bool) -> None:
    """Change the integer types of a quantized model, without data: from uint8 to int8, from int8 to int16x8."""
    check_outputs(force, output)
    opened = pq.open(model)
    decisions = reassign(opened, to)
    click.echo(str(decisions))
    save_edited(opened, apply(decisions), output, force)
