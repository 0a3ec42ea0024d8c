"""The command `pyquant` and its verbs."""

from __future__ import annotations

import errno
import warnings
from importlib import import_module
from typing import Any

import click

from pyquant.errors import FileExists, PyQuantError

# The module of each verb, imported when it is asked for.
VERBS = {
    **{verb: verb for verb in ("bench", "cluster", "compat", "compress", "debug", "demo", "dequantize", "diff")},
    **{verb: verb for verb in ("edgetpu", "inspect", "layout", "lint", "memory", "ops", "prune", "quantize", "retype")},
    **{verb: verb for verb in ("run", "size", "strip", "validate")},
    **dict.fromkeys(("extract", "merge", "split"), "cut"),
    **dict.fromkeys(("rename", "reorder"), "names"),
    **dict.fromkeys(("batch", "fold", "fuse", "io-type", "resize"), "rewrite"),
    "dedupe": "strip",
    "export-c": "export_c",
    "prune-channels": "prune_channels",
}


def commands(module: str) -> tuple[click.Command, ...]:
    """What a module of VERBS holds."""
    found = import_module(f"pyquant.cli.{module}")
    return getattr(found, "commands", None) or (found.command,)


class Verbs(click.Group):
    """Turns an error of ours into one line on stderr and exit code 1; click itself exits with 2 for wrong usage."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        return next(command for command in commands(VERBS[cmd_name]) if command.name == cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = lambda message, *_: click.echo(f"note: {message}", err=True)
                return super().invoke(ctx)
        except FileExists as error:
            raise click.ClickException(f"{str(error).rpartition(';')[0]}; --force overwrites it") from error
        except PyQuantError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of a pipe has enough
                raise
            raise click.ClickException(str(error)) from error


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pyquant")
def main() -> None:
    """Inspect, quantize, run and validate .tflite models without TensorFlow."""
