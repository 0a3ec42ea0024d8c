"""`pyquant validate`: is what we compute what another runtime, or another model, computes?"""

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
    isa_option,
    json_option,
    model_argument,
    numerics_option,
    print_json,
    print_table,
    threads_option,
)
from pyquant.validate.report import WORDS, OwnDifference


@click.command("validate")
@model_argument
@click.option(
    "--against",
    default="tflite-runtime",
    show_default=True,
    help="tflite-runtime, ai-edge-litert, a .tflite file, or a numerics such as edgetpu.",
)
@data_options
@click.option(
    "--resolver",
    type=click.Choice(["reference", "optimized", "default"]),
    default="reference",
    show_default=True,
    help="The runtime's kernels; default is with XNNPACK, and compares outputs only.",
)
@numerics_option
@click.option("--tolerance", type=float, default=1e-5, show_default=True, help="For floats, of their range.")
@click.option(
    "--min-sqnr",
    type=float,
    metavar="DB",
    help="What every output is to reach; 10 against a model.",
)
@click.option("--own", is_flag=True, help="Also run each operator alone, fed with the other side's values.")
@click.option(
    "--reproduce",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the first operator that differs by itself: FILE, and a .npz of its inputs and expected outputs.",
)
@click.option("--golden", metavar="DIR", help="Record the other side's tensors in DIR, or check against what it holds.")
@threads_option
@isa_option
@force_option
@json_option
def command(
    model: Path,
    source: Source,
    as_json: bool,
    own: bool,
    reproduce: Path | None,
    force: bool,
    **options: Any,
) -> None:
    """Compare every tensor with another runtime or another model. Exit code 1 where they differ."""
    opened = pq.open(model)
    samples = source.feeds(opened, "comparing")
    check_outputs(force, reproduce, reproduce and OwnDifference.arrays_beside(reproduce))
    report = pq.validate(opened, data=samples, own=own or reproduce is not None, **options)
    if reproduce is not None and report.first_own_difference is not None:
        report.first_own_difference.save(reproduce, overwrite=force)
    if as_json:
        print_json({"file": str(model), **report.to_dict()})
    else:
        click.echo(f"{model} against {report.against}: {report.samples} samples, numerics {report.numerics}")
        for note in report.notes:
            click.echo(note)
        print_table(report.header, report.rows, words=WORDS)
        click.echo(report.verdict)
    if not report.ok:
        raise SystemExit(1)
