"""`pyquant ops`: the operators that pyquant knows."""

from __future__ import annotations

from dataclasses import asdict

import click

from pyquant.cli.console import json_option, print_json
from pyquant.see.operators import KINDS, operators
from pyquant.table import Column, lines


@click.command("ops")
@json_option
def command(as_json: bool) -> None:
    """List the operators and what runs each type: a C kernel, or the NumPy reference; * marks those quantize knows."""
    known = operators()
    if as_json:
        print_json([asdict(support) for support in known])
        return
    rows = [[f"{s.operator}{'*' * s.quantizable}", *(s.runs.get(kind, "") for kind in KINDS)] for s in known]
    click.echo("\n".join(lines([Column(name) for name in ("operator", *KINDS.values())], rows)))
