"""`pyquant run`: a model on data, outputs to a file."""

from __future__ import annotations

import io
from pathlib import Path

import click
import numpy as np

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
    threads_option,
)
from pyquant.run.feeds import storable
from pyquant.wire.file import write


@click.command("run")
@model_argument
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The .npz file to write.")
@data_options
@threads_option
@isa_option
@numerics_option
@force_option
@json_option
def command(
    model: Path,
    output: Path,
    source: Source,
    threads: int,
    isa: str | None,
    numerics: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Run a model on every sample; the file holds one array for each output, samples along its first axis.

    Of an output whose shape differs between samples it holds one array for each of them: NAME/0, NAME/1, ...
    """
    if source.data is None:
        raise click.UsageError("--data is missing")
    check_outputs(force, output)
    opened = pq.open(model)
    plan = pq.compile(opened, threads=threads, isa=isa, numerics=numerics or "tflite")
    results = [plan.run(*arrays) for arrays in source.feeds(opened, "running") or ()]
    arrays: dict[str, np.ndarray] = {}
    for tensor in opened.main.outputs:
        arrays |= stored(tensor.name, [storable(result[tensor]) for result in results])
    archive = io.BytesIO()
    np.savez(archive, **arrays)  # type: ignore[arg-type]  # names as keywords
    write(output, [archive.getbuffer()], overwrite=force)
    if as_json:
        shapes = [{"name": name, "shape": list(a.shape), "dtype": a.dtype.name} for name, a in arrays.items()]
        print_json({"file": str(output), "samples": len(results), "outputs": shapes})
    else:
        shown = ", ".join(f"{name} {a.shape} {a.dtype}" for name, a in arrays.items())
        click.echo(f"{output}: {len(results)} samples: {shown}")


def stored(name: str, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Samples along the first axis, the batch axis where it is 1, else a new one; each by itself where shapes differ."""
    if len({array.shape for array in arrays}) > 1:
        return {f"{name}/{i}": array for i, array in enumerate(arrays)}
    batches = arrays[0].ndim > 0 and arrays[0].shape[0] == 1
    return {name: np.concatenate(arrays) if batches else np.stack(arrays)}
