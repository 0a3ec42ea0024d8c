"""Mutated files, decoded, checked, compiled and run: whatever the bytes, one of our errors or a result.

`python -m tests.fuzz --count 200000 --sanitize` builds the C side with sanitizers, in a copy, and runs all.
"""
