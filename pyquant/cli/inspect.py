"""`pyquant inspect`: what is in a file."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import json_option, model_argument, print_json, terminal_width
from pyquant.see.text import SECTIONS, text
from pyquant.table import size


@click.command("inspect")
@model_argument
@click.option("--operators", "sections", flag_value="operators", multiple=True, help="MACs, bytes, kernels.  [default]")
@click.option("--tensors", "sections", flag_value="tensors", multiple=True, help="Types, quantization, buffers.")
@click.option("--buffers", "sections", flag_value="buffers", multiple=True, help="Sizes, and who shares them.")
@click.option("--metadata", "sections", flag_value="metadata", multiple=True, help="What the file says of itself.")
@click.option("--signatures", "sections", flag_value="signatures", multiple=True, help="Named entry points.")
@click.option("--all", "everything", is_flag=True, help="All of these.")
@json_option
def command(model: Path, sections: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Show a model: its inputs, outputs, totals, and by operator what it costs and what runs it.

    A narrow terminal hides columns; a pipe gets all of them.
    """
    description = pq.describe(pq.open(model))
    bytes_ = model.stat().st_size
    if as_json:
        print_json({"file": str(model), "bytes": bytes_, **description.to_dict()})
        return
    click.echo(f"{model}: {size(bytes_)}")
    click.echo(text(description, SECTIONS if everything else sections or ("operators",), terminal_width()))
