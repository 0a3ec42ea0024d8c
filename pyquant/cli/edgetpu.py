"""`pyquant edgetpu`: verbs for the Edge TPU."""

from __future__ import annotations

import click

from pyquant.cli import edgetpu_inspect, edgetpu_recover


@click.group("edgetpu")
def command() -> None:
    """Predict, read and recover what the Edge TPU compiler makes of models."""


command.add_command(edgetpu_inspect.command)
command.add_command(edgetpu_recover.command)
