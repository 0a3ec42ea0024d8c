"""Convolutions of 1 x 1 and fully connected layers whose weights are zero in blocks: `python bench/sparse.py`

Blocks of 16 outputs by 1 input in float32, by 4 in int8 and dynamic range, 2 in int16x8: what one instruction reads.
Times of one thread, each beside the same layer with no zeros in the same run, in turn, medians; the outputs are those
of the interpreter.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import pyquant as pq
from pyquant.graph import Builder
from pyquant.ops.build import add

LAYERS = {"14x14x96 to 96": (14, 96, 96), "7x7x320 to 1280": (7, 320, 1280), "1x1x1280 to 1000": (1, 1280, 1000)}
BLOCKS = {"float32": 1, "int8": 4, "dynamic": 4, "int16x8": 2}
DENSITIES = (1.0, 0.5, 0.3, 0.2, 0.1)


def layer(side: int, inputs: int, outputs: int, terms: int, density: float) -> pq.Model:
    rng, b = np.random.default_rng(0), Builder()
    blocks = rng.random((-(-outputs // 16), -(-inputs // terms))) < density
    kept = np.kron(blocks, np.ones((16, terms)))[:outputs, :inputs]
    w = b.constant("w", (rng.normal(size=(outputs, inputs)) * kept).astype(np.float32).reshape(outputs, 1, 1, inputs))
    x, bias = b.input("x", (1, side, side, inputs)), b.constant("b", rng.normal(size=outputs).astype(np.float32))
    return b.model([add(b, "CONV_2D", [x, w, bias], "y", padding="SAME", stride_h=1, stride_w=1)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    print(f"{'':<28}{'dense us':>10}" + "".join(f"{density:>8.0%}" for density in DENSITIES[1:]))
    for name, sizes in LAYERS.items():
        for scheme, terms in BLOCKS.items():
            sessions = []
            for density in DENSITIES:
                model = layer(*sizes, terms, density)
                x = np.random.default_rng(1).uniform(-1, 1, model.main.inputs[0].shape).astype(np.float32)
                if scheme != "float32":
                    model = pq.quantize(model, scheme, data=None if scheme == "dynamic" else [x])
                session, (y,) = pq.compile(model).session(), model.main.outputs
                np.testing.assert_allclose(session(x), pq.interpret(model, [x])[y], rtol=1e-3, atol=1e-3)
                sessions.append(session)
            times = np.zeros((runs, len(sessions)))
            for run in times:
                for i, session in enumerate(sessions):
                    start = time.perf_counter()
                    session(x)
                    run[i] = 1e6 * (time.perf_counter() - start)
            dense, *sparse = np.median(times, axis=0)
            print(f"{name:<18}{scheme:<10}{dense:10.1f}" + "".join(f"{dense / t:7.2f}x" for t in sparse))


if __name__ == "__main__":
    main()
