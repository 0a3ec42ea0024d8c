"""`pyquant edgetpu`: verbs for the Edge TPU."""

from __future__ import annotations

import click

from pyquant.cli import edgetpu_check, edgetpu_inspect, edgetpu_recover


@click.group("edgetpu")
def command() -> None:
    """Predict, read and recover what the Edge TPU compiler makes of models."""


for verb in (edgetpu_check, edgetpu_inspect, edgetpu_recover):
    command.add_command(verb.command)
