"""The entry point of atheris (extra `fuzz`), which keeps the mutations that reach new code and goes on from them."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pyquant.wire", "pyquant.graph", "pyquant.run", "pyquant.ops"]):
    from fuzz.mutate import mutated
    from fuzz.seeds import seeds
    from fuzz.trial import trial
    from pyquant.errors import PyQuantError
    from pyquant.run import Limits

LIMITS = Limits(1 << 24, 10**7)
SOURCES = [seed.data for seed in seeds() if len(seed.data) <= 4096]


def try_one(data: bytes) -> None:
    trial(data, LIMITS, len(data))


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Our mutations of what decodes, atheris' own of the rest, and now and then."""
    rng = random.Random(seed)
    if len(data) >= 8 and rng.random() < 0.7:
        try:
            changed = mutated(data, SOURCES, rng)
        except PyQuantError:
            changed = data
        if len(changed) <= most:
            return changed
    return bytes(atheris.Mutate(data, most))


def main() -> None:
    """Arguments are those of libFuzzer: -max_total_time=60, folders of a corpus."""
    with tempfile.TemporaryDirectory(prefix="pyquant-corpus-") as folder:
        for i, data in enumerate(SOURCES):
            (Path(folder) / f"{i}.tflite").write_bytes(data)
        atheris.Setup([*sys.argv, "-max_len=8192", folder], try_one, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
