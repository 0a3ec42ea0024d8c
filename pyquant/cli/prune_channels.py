"""`pyquant prune-channels`: whole channels out of a model, which gets smaller and faster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import pyquant as pq
from pyquant.cli.console import (
    Source,
    check_outputs,
    data_options,
    force_option,
    json_option,
    model_argument,
    output_option,
    print_json,
    print_table,
    weight_options,
)
from pyquant.compress.channels import Pruned, pruned


@click.command("prune-channels")
@model_argument
@output_option
@click.option(
    "--share", type=click.FloatRange(0, 1, max_open=True), required=True, help="Of the channels of each group."
)
@click.option("--multiple", type=click.IntRange(1), default=1, show_default=True, help="Of channels that are left.")
@weight_options
@data_options
@force_option
@json_option
def command(
    model: Path,
    output: Path,
    source: Source,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Take out the channels that matter least: by their weights, or with --data by what is lost of what reads them."""
    check_outputs(force, output)
    opened = pq.open(model)
    found = pruned(opened, data=source.feeds(opened, "reading"), **options)
    before, size = model.stat().st_size, found.model.save(output, overwrite=force)
    if as_json:
        print_json({"file": str(output), "bytes": size, "bytes_before": before, "groups": _groups(found)})
        return
    rows = [[group["makers"][0], str(group["channels"]), str(group["left"])] for group in _groups(found)]
    print_table(["channels of", "before", "after"], rows)
    for group in _groups(found):
        if group["reason"]:
            click.echo(f"note: those of {group['makers'][0]!r} stay: {group['reason']}")
    click.echo(f"{output}: {size} bytes, {100 * size / before:.1f} % of {before}")


def _groups(found: Pruned) -> list[dict[str, Any]]:
    return [
        {
            "channels": group.count,
            "left": group.count - gone,
            "makers": [node.outputs[0].name for node in group.makers],
            "readers": [node.outputs[0].name for node in group.readers],
            "reason": group.reason,
        }
        for group, gone in found.gone
    ]
