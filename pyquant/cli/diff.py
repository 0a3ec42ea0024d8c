"""`pyquant diff`: what differs between two files."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import json_option, print_json, terminal_width
from pyquant.see.diff_text import ROWS, diff_text
from pyquant.table import size

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("diff")
@click.argument("before", type=FILE)
@click.argument("after", type=FILE)
@click.option("--ignore-names", is_flag=True, help="Names of tensors and subgraphs do not count.")
@click.option("--all", "everything", is_flag=True, help=f"Show more than {ROWS} differences of each kind.")
@json_option
def command(before: Path, after: Path, ignore_names: bool, everything: bool, as_json: bool) -> None:
    """Compare two models: graph, options, weights, quantization, tensors, signatures, metadata.

    Exit code 0 where they are the same but for the layout of the file, 1 where they differ.
    """
    found = pq.diff(pq.open(before), pq.open(after), names=not ignore_names)
    bytes_ = [path.stat().st_size for path in (before, after)]
    if as_json:
        print_json({"files": [str(before), str(after)], "bytes": bytes_, **found.to_dict()})
    else:
        click.echo(f"{before}: {size(bytes_[0])}\n{after}: {size(bytes_[1])}\n")
        click.echo(diff_text(found, terminal_width(), None if everything else ROWS))
    if not found.same:
        raise SystemExit(1)
