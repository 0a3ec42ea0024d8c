"""Which quantized files load, run and are right where a float model is degenerate: ours next to litert-quantizer's.

`PYTHONPATH=.:tests python bench/degenerate.py` quantizes a MobileNetV2 as it is, with a layer of zeros, and with a
channel of weights so small that its bias overflows. It prints what the runtimes make of each file: why they refuse it,
or how far its outputs, probabilities, are from the float model's. Exits with 1 where a file of ours does not run.
litert-quantizer counts where it is installed.
"""

from __future__ import annotations

import sys

import numpy as np
from accuracy import theirs
from mobilenet import dead, mobilenet_v2, tiny

import pyquant as pq
from pyquant.calibrate.data import fit
from pyquant.validate import Oracle
from pyquant.validate.oracle import RUNTIMES
from pyquant.validate.tally import real

PEERS = {"int8": "static_wi8_ai8", "int16x8": "static_wi8_ai16"}
REFUSED = "refused: "


def verdict(small: pq.Model, runtime: str, samples: np.ndarray, expected: np.ndarray) -> str:
    """What becomes of a file."""
    (x,), (y,) = small.main.inputs, small.main.outputs
    try:
        with Oracle(runtime) as oracle:
            oracle.load(small, "default")
            found = [real(next(iter(oracle.run([fit(s, x)]).values())), y) for s in samples]
    except pq.OracleError as error:
        return REFUSED + " ".join(str(error).split())
    return f"runs, {np.abs(np.stack(found) - expected).max():.3f} from float at most"


def main() -> int:
    samples = np.random.default_rng(0).uniform(-1, 1, (8, 1, 32, 32, 3)).astype(np.float32)
    failed = False
    for name, model in (("plain", mobilenet_v2()), ("dead", dead(mobilenet_v2())), ("tiny", tiny(mobilenet_v2()))):
        plan = pq.compile(model)
        expected = np.stack([plan(sample) for sample in samples])
        for scheme, recipe in PEERS.items():
            files = {"pyquant": pq.quantize(model, scheme, data=samples), "litert": theirs(model, recipe, samples)}
            for maker, small in files.items():
                for runtime in RUNTIMES if small is not None else ():
                    found = verdict(small, runtime, samples, expected)
                    failed |= maker == "pyquant" and found.startswith(REFUSED)
                    print(f"{name:6} {scheme:8} {maker:8} {runtime:15} {found}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
