"""`pyquant memory`: which tensor has which bytes of the arena from when to when."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import json_option, model_argument, print_json, terminal_width
from pyquant.run.timeline import PLANNERS


@click.command("memory")
@model_argument
@click.option("--planner", type=click.Choice(list(PLANNERS)), default="pyquant", show_default=True)
@json_option
def command(model: Path, planner: str, as_json: bool) -> None:
    """Show the arena over the steps of a run: each tensor's bytes, offset, first and last step.

    The planner tflm is tflite-micro's: the head of its arena, with the scratch buffers of its reference kernels.
    """
    timeline = pq.timeline(pq.open(model), planner)
    if as_json:
        print_json({"file": str(model), **timeline.to_dict()})
    else:
        click.echo(timeline.text(terminal_width()))
