"""From a file to its first result, beside ai-edge-litert: `python bench/first_result.py [MODEL] [--runs N]`.

Each run is a process of its own, both sides in turn. Timed from before the file is opened to the outputs of the first
run; the import of the package is not in it and told by itself. Memory is the most that the process held, all included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

MODEL = "models/efficientnet_lite0/efficientnet_lite0_int8.tflite"
FRAME = """
import json, resource, sys, time
import numpy as np
path, start = sys.argv[1], time.perf_counter()
{imports}
imported = time.perf_counter()
{run}
done = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([imported - start, done - imported, peak / 1024]))
"""
SIDES = {
    "pyquant": FRAME.format(
        imports="import pyquant as pq",
        run="""
model = pq.open(path)
plan = pq.compile(model)
result = plan(*[np.zeros(t.shape, t.dtype.numpy) for t in plan.inputs])
""",
    ),
    "ai-edge-litert": FRAME.format(
        imports="from ai_edge_litert.interpreter import Interpreter",
        run="""
interpreter = Interpreter(path)
interpreter.allocate_tensors()
for detail in interpreter.get_input_details():
    interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
interpreter.invoke()
result = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
""",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("PYQUANT_DATA", "../shared/data"))
    parser.add_argument("model", nargs="?", type=Path, default=data / MODEL)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    runs: dict[str, list[list[float]]] = {name: [] for name in SIDES}
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # as installed packages are
    for _ in range(options.runs):
        for name, script in SIDES.items():
            command = [sys.executable, "-c", script, str(options.model)]
            found = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
            runs[name].append(json.loads(found.splitlines()[-1]))
    medians = {name: np.median(rows, axis=0) for name, rows in runs.items()}
    print(f"{options.model.stem:<28} {'import ms':>10} {'first result ms':>16} {'peak MiB':>9}")
    for name, (imported, first, peak) in medians.items():
        print(f"{name:<28} {imported * 1e3:10.1f} {first * 1e3:16.1f} {peak:9.1f}")
    ratios = medians["ai-edge-litert"] / medians["pyquant"]
    print(f"{'ai-edge-litert / pyquant':<28} {ratios[0]:10.2f} {ratios[1]:16.2f} {ratios[2]:9.2f}")


if __name__ == "__main__":
    main()
