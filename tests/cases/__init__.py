"""Rows that describe one operator application each; tests and benchmarks run over all of them."""
