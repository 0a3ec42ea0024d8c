"""`pyquant demo`: the whole way on a model that ships with the package."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from pyquant.cli.console import force_option, json_option, print_json, print_table, progress
from pyquant.demo import Result, make

HEADER = ["format", "bytes", "gzip bytes", "accuracy", "agrees with float", "latency µs"]
NEXT = """
These are the files in {folder}/. Next, with a model of your own:

  pyquant inspect MODEL.tflite
  pyquant quantize MODEL.tflite -o SMALL.tflite --scheme int8 --data SAMPLES.npy
  pyquant validate SMALL.tflite --against ai-edge-litert --data SAMPLES.npy
  pyquant bench MODEL.tflite SMALL.tflite

SAMPLES is an .npy or .npz file (first axis: samples), a folder of images, or a script with representative_dataset()."""


@click.command("demo")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("pyquant-demo"), show_default=True)
@force_option
@json_option
def command(folder: Path, force: bool, as_json: bool) -> None:
    """Quantize a digit classifier in every way, and measure size, accuracy and latency."""
    results = list(progress(make(folder, force), "making formats"))
    if as_json:
        print_json([{**asdict(r), "path": str(r.path)} for r in results])
        return
    print_table(HEADER, [cells(r) for r in results])
    click.echo(NEXT.format(folder=folder))


def cells(r: Result) -> list[str]:
    shares = f"{100 * r.accuracy:.1f} %", f"{100 * r.agreement:.1f} %"
    return [r.format, str(r.bytes), str(r.gzip_bytes), *shares, f"{r.latency * 1e6:.0f}"]
