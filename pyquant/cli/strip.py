"""`pyquant strip`, `dedupe`: smaller files that compute the same."""

from __future__ import annotations

from pathlib import Path

import click

import pyquant as pq
from pyquant.cli.console import check_outputs, force_option, model_argument, output_option, save_edited


@click.command("strip")
@model_argument
@click.option("--keep-names", is_flag=True, help="Names of inner tensors and of subgraphs.")
@click.option("--keep-metadata", is_flag=True, help="Description, metadata and associated files.")
@click.option("--keep-ranges", is_flag=True, help="min and max beside scales.")
@click.option("--signatures", is_flag=True, help="Drop signatures as well.")
@output_option
@force_option
def strip(
    model: Path,
    keep_names: bool,
    keep_metadata: bool,
    keep_ranges: bool,
    signatures: bool,
    output: Path,
    force: bool,
) -> None:
    """Drop what no run reads: names, metadata, ranges; tensors, buffers and operator codes that nothing uses."""
    check_outputs(force, output)
    opened = pq.open(model)
    stripped = pq.strip(
        opened, names=not keep_names, metadata=not keep_metadata, ranges=not keep_ranges, signatures=signatures
    )
    save_edited(opened, stripped, output, force)


@click.command("dedupe")
@model_argument
@output_option
@force_option
def dedupe(model: Path, output: Path, force: bool) -> None:
    """Let equal constants share one buffer."""
    check_outputs(force, output)
    opened = pq.open(model)
    save_edited(opened, pq.dedupe(opened), output, force)


commands = (strip, dedupe)
