"""`pyquant size`: what a file and its constants take, and could take."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import (
    check_outputs,
    force_option,
    json_option,
    model_argument,
    print_json,
    terminal_width,
    write_text,
)
from pyquant.compress import Sizes


@click.command("size")
@model_argument
@click.argument("other", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--svg", type=click.Path(path_type=Path), help="Write a picture, too.")
@force_option
@json_option
def command(model: Path, other: Path | None, svg: Path | None, force: bool, as_json: bool) -> None:
    """Show the bytes of a file and of its constants: raw, packed, sparse, in lookup tables, and the entropy bound.

    With OTHER, a file made of the first one: both, before and after.
    """
    check_outputs(force, svg)
    before, after = _sizes(model), None if other is None else _sizes(other)
    if svg is not None:
        write_text(svg, before.svg(after), force)
    if as_json:
        found = {"path": str(model), **before.to_dict()}
        print_json(found if after is None else {"before": found, "after": {"path": str(other), **after.to_dict()}})
    else:
        click.echo(before.text(terminal_width()) if after is None else before.against(after, terminal_width()))


def _sizes(path: Path) -> Sizes:
    return pq.size(pq.open(path), path.read_bytes())
