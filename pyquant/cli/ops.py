"""`pyquant ops`: the operators that pyquant knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from pyquant.cli.console import json_option, print_json
from pyquant.see.operators import HEADER, QUANTIZABLE_HEADER, Quantizable, Support, operators, quantizable
from pyquant.table import Column, lines


@click.command("ops")
@click.option("--quantizable", "by_scheme", is_flag=True, help="Who quantizes them instead: pyquant and others.")
@json_option
def command(by_scheme: bool, as_json: bool) -> None:
    """List the operators: what runs each type, and which runtimes that is checked against.

    C: a C kernel; NumPy: the reference; plan: control flow. quantizable: quantize makes
    integers of it; gradient: it trains.
    """
    known: Sequence[Support | Quantizable] = quantizable() if by_scheme else operators()
    if as_json:
        print_json([asdict(support) for support in known])
        return
    header = QUANTIZABLE_HEADER if by_scheme else HEADER
    click.echo("\n".join(lines([Column(name) for name in header], [one.row for one in known])))
