"""`pyquant inspect`: what is in a file."""

from __future__ import annotations

import json
from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import (
    force_option,
    json_option,
    model_argument,
    print_json,
    terminal_width,
    write_text,
)
from pyquant.see import COSTS, cost_overlay
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
@click.option("--overlay", type=click.Path(path_type=Path), help="Write a cost by node, for Model Explorer, as JSON.")
@click.option("--overlay-cost", type=click.Choice(COSTS), default=COSTS[0], show_default=True)
@force_option
@json_option
def command(
    model: Path,
    sections: tuple[str, ...],
    everything: bool,
    overlay: Path | None,
    overlay_cost: str,
    force: bool,
    as_json: bool,
) -> None:
    """Show a model: its inputs, outputs, totals, and by operator what it costs and what runs it.

    A narrow terminal hides columns; a pipe gets all of them.
    """
    description = pq.describe(pq.open(model))
    if overlay is not None:
        write_text(overlay, json.dumps(cost_overlay(description, overlay_cost)), force)
    bytes_ = model.stat().st_size
    if as_json:
        print_json({"file": str(model), "bytes": bytes_, **description.to_dict()})
        return
    click.echo(f"{model}: {size(bytes_)}")
    click.echo(text(description, SECTIONS if everything else sections or ("operators",), terminal_width()))
