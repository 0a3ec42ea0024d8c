"""`python -m pyquant` is the command line."""

from pyquant.cli import main

main()
