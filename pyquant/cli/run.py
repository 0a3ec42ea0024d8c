"""`pyquant run`: a model on data, outputs to a file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
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
    States and variables begin anew with each sample.
    """
    if source.data is None:
        raise click.UsageError("--data is missing")
    check_outputs(force, output)
    opened = pq.open(model)
    plan = pq.compile(opened, threads=threads, isa=isa, numerics=numerics or "tflite")
    results = [plan.run(*arrays) for arrays in source.feeds(opened, "running") or ()]
    arrays: dict[str, np.ndarray] = {}
    names = [tensor.name for tensor in opened.main.outputs]
    for i, tensor in enumerate(opened.main.outputs):
        name = tensor.name if names.count(tensor.name) == 1 else f"{tensor.name} (output {i})"
        arrays |= stored(name, [storable(result[tensor]) for result in results])
    write(output, [npz(arrays)], overwrite=force)
    if as_json:
        shapes = [{"name": name, "shape": list(a.shape), "dtype": a.dtype.name} for name, a in arrays.items()]
        print_json({"file": str(output), "samples": len(results), "outputs": shapes})
    else:
        shown = ", ".join(f"{name} {a.shape} {a.dtype}" for name, a in arrays.items())
        click.echo(f"{output}: {len(results)} samples: {shown}")


def stored(name: str, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Samples along the first axis, a batch axis of 1 or else a new one; each by itself where shapes differ."""
    if len({array.shape for array in arrays}) > 1:
        return {f"{name}/{i}": array for i, array in enumerate(arrays)}
    batches = arrays[0].ndim > 0 and arrays[0].shape[0] == 1
    return {name: np.concatenate(arrays) if batches else np.stack(arrays)}


def npz(arrays: Mapping[str, np.ndarray]) -> memoryview:
    """The bytes of a file of arrays by name, of whatever name: `np.savez` takes them as keywords."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
    return archive.getbuffer()
