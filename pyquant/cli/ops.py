"""`pyquant ops`: the operators that pyquant knows."""

from __future__ import annotations

from dataclasses import asdict

import click

from pyquant.cli.console import json_option, print_json
from pyquant.see.operators import HEADER, operators
from pyquant.table import Column, lines


@click.command("ops")
@json_option
def command(as_json: bool) -> None:
    """List the operators: what runs each type, and which runtimes that is checked against.

    C: a C kernel; NumPy: the reference; plan: control flow. quantizable: quantize makes
    integers of it; gradient: it trains.
    """
    known = operators()
    if as_json:
        print_json([asdict(support) for support in known])
        return
    click.echo("\n".join(lines([Column(name) for name in HEADER], [support.row for support in known])))
