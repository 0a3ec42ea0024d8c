"""The command: `python -m tests.fuzz --count 200000 --sanitize`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.pool import Report, environment_of, run
from fuzz.sanitize import build
from fuzz.seeds import seeds
from fuzz.worker import file


def main() -> int:
    """Try the files and print counts by kind. Returns 1 where one led to neither a result nor one of our errors."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Open, compile and run mutated files.")
    parser.add_argument("--count", type=int, default=2000, help="files to try (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed and number make the same file")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--sanitize", action="store_true", help="build the C side with ASan and UBSan, in a copy")
    parser.add_argument("--guided", type=int, metavar="SECONDS", help="search by coverage instead, with atheris")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), help="folder for files that fail")
    given = parser.parse_args()
    if given.guided:
        command = [
            sys.executable,
            "-m",
            "fuzz.guided",
            f"-max_total_time={given.guided}",
            f"-artifact_prefix={given.keep}/",
        ]
        given.keep.mkdir(parents=True, exist_ok=True)
        return subprocess.run(command, env=environment_of({})).returncode
    start, said = time.monotonic(), 0.0

    def show(report: Report) -> None:
        nonlocal said
        if time.monotonic() - said > 30:
            said = time.monotonic()
            print(f"{report.counts.total()} files in {said - start:.0f} s, {len(report.failures)} failed", flush=True)

    with tempfile.TemporaryDirectory(prefix="pyquant-fuzz-") as folder:
        environment = build(Path(folder)) if given.sanitize else {}
        report = run(given.seed, given.count, given.jobs, environment, show)
    return finish(report, given.seed, given.keep, time.monotonic() - start)


def finish(report: Report, seed: int, keep: Path, seconds: float) -> int:
    sources = seeds() if report.failures else []
    for number, what in sorted(report.failures.items()):
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{seed}-{number}.tflite").write_bytes(file(number, seed, sources)[1])
        print(f"file {number} ({keep / f'{seed}-{number}.tflite'}): {what}")
    for kind, count in report.counts.most_common():
        print(f"{count:8}  {kind}")
    print(f"{report.counts.total():8}  files in {seconds:.0f} s; {len(report.failures)} failed")
    print(f"at most {report.memory:.1f} times the memory of the seed, {report.seconds:.2f} s for one file")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
