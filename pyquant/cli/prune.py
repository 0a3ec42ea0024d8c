"""`pyquant prune`: weights that matter least become zero."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import click
import numpy as np

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
from pyquant.compress import load_masks, masks, save_masks, weights
from pyquant.compress.patterns import POOLINGS
from pyquant.compress.values import zeros
from pyquant.graph import Model


@click.command("prune")
@model_argument
@output_option
@click.option("--sparsity", type=click.FloatRange(0, 1), help="The share of the weights that goes.")
@click.option("--pattern", default="unstructured", show_default=True, help="Or blocks as 1x4, or N:M as 2:4.")
@click.option("--pooling", type=click.Choice(list(POOLINGS)), default="max", show_default=True, help="Of blocks.")
@data_options
@click.option("--global", "as_one", is_flag=True, help="All weights as one: those that need it least lose more.")
@weight_options
@click.option("--masks", "given", type=click.Path(exists=True, path_type=Path), help="Prune as this file says.")
@click.option("--save-masks", "saved", type=click.Path(path_type=Path), help="Write what stays to an .npz file.")
@force_option
@json_option
def command(
    model: Path,
    output: Path,
    sparsity: float | None,
    pattern: str,
    pooling: str,
    source: Source,
    as_one: bool,
    regex: str,
    operation: str,
    least: int,
    given: Path | None,
    saved: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Make weights zero. With --data those whose loss the others make up for best, which are corrected.

    Weights of depthwise convolutions are left alone unless --operation names them.
    """
    check_outputs(force, output, saved)
    opened = pq.open(model)
    made = pq.prune(
        opened,
        sparsity,
        pattern,
        data=source.feeds(opened, "pruning"),
        threshold="global" if as_one else "operator",
        pooling=pooling,
        regex=regex,
        operation=operation,
        least=least,
        masks=None if given is None else load_masks(given),
    )
    before, packed_before = model.stat().st_size, len(gzip.compress(model.read_bytes()))
    size = made.save(output, overwrite=force)
    if saved is not None:
        save_masks(saved, masks(made, regex, operation, least), overwrite=force)
    rows = _rows(opened, made, regex, operation, least)
    packed = len(gzip.compress(output.read_bytes()))
    if as_json:
        sizes = {"bytes": size, "bytes_before": before, "gzip": packed, "gzip_before": packed_before}
        print_json({"file": str(output), **sizes, "weights": rows})
        return
    everything = {name: sum(row[name] for row in rows) for name in ("elements", "zeros", "zeros_before")}
    header = ("weight", "operator", "shape", "elements", "zeros", "share", "before")
    print_table(header, [_cells(row) for row in (*rows, {"weight": "all", **everything})], words=3)
    click.echo(f"{output}: {size} bytes (before: {before}), gzip {packed} (before: {packed_before})")


def _rows(before: Model, after: Model, regex: str, operation: str, least: int) -> list[dict[str, Any]]:
    """What became of each weight."""
    pairs = zip(*(weights(model, regex, operation, least, casts=True) for model in (before, after)), strict=True)
    return [
        {
            "weight": now.tensor.name,
            "operator": now.uses[0][0].op,
            "shape": list(now.tensor.shape),
            "elements": now.tensor.size,
            "zeros": int(np.count_nonzero(zeros(now.tensor))),
            "zeros_before": int(np.count_nonzero(zeros(old.tensor))),
        }
        for old, now in pairs
    ]


def _cells(row: dict[str, Any]) -> list[str]:
    shape = " x ".join(map(str, row.get("shape", ())))
    share = f"{100 * row['zeros'] / max(row['elements'], 1):.1f} %"
    numbers = (str(row["elements"]), str(row["zeros"]), share, str(row["zeros_before"]))
    return [row["weight"], row.get("operator", ""), shape, *numbers]
