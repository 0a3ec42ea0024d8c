"""The command line: it calls the public names only."""

from pyquant.cli.main import main

__all__ = ["main"]
