"""`pyquant dequantize`: a quantized model back to float32."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import check_outputs, force_option, model_argument, output_option, save_edited
from pyquant.quantize import apply, real_again


@click.command("dequantize")
@model_argument
@output_option
@force_option
def command(model: Path, output: Path, force: bool) -> None:
    """Bring a quantized model back to float32, its inputs and outputs too."""
    check_outputs(force, output)
    opened = pq.open(model)
    decisions = real_again(opened)
    click.echo(str(decisions))
    save_edited(opened, apply(decisions), output, force)
