"""Worker processes: started, watched, and started again behind a file that one died of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

HANG = 120.0  # seconds of no progress at all, after which a worker is stopped
TESTS = Path(__file__).parents[1]


@dataclass
class Report:
    """counts: files by what became of them. failures: what was wrong, by the number of the file."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)
    memory: float = 0.0  # the most that a file took, in times of what its seed takes
    seconds: float = 0.0

    def take(self, said: Mapping[str, object]) -> None:
        if "failure" in said:
            self.failures[int(str(said["failure"]))] = f"{said['source']}: {said['what']}"
            return
        self.counts.update(said["counts"])  # type: ignore[call-overload]
        self.memory = max(self.memory, float(str(said["memory"])))
        self.seconds = max(self.seconds, float(str(said["seconds"])))


def run(seed: int, count: int, jobs: int, environment: Mapping[str, str], show: Callable[[Report], None]) -> Report:
    """Try `count` files on `jobs` processes. environment: of the workers. show is called as results come in."""
    report = Report()
    threads = [
        Thread(target=_share, args=(seed, first, count, jobs, environment, report, show)) for first in range(jobs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return report


def environment_of(more: Mapping[str, str]) -> dict[str, str]:
    """The variables of a worker, which finds the package where `more` says and our modules beside it."""
    path = os.pathsep.join(filter(None, (more.get("PYTHONPATH"), str(TESTS), os.environ.get("PYTHONPATH"))))
    return {**os.environ, **more, "PYTHONPATH": path}


def _share(
    seed: int,
    first: int,
    count: int,
    jobs: int,
    environment: Mapping[str, str],
    report: Report,
    show: Callable[[Report], None],
) -> None:
    """The files first, first + jobs, ... below count, by one worker after the other."""
    left = [(first, count)]
    with tempfile.TemporaryDirectory() as folder:
        at, errors = Path(folder) / "at", Path(folder) / "errors"
        while left:
            begin, end = left.pop()
            at.write_bytes(begin.to_bytes(8, "little"))
            arguments = map(str, (seed, begin, end, jobs, at))
            with (
                errors.open("w") as stream,
                subprocess.Popen(
                    [sys.executable, "-m", "fuzz.worker", *arguments],
                    env=environment_of(environment),
                    cwd=folder,
                    stdout=subprocess.PIPE,
                    stderr=stream,
                    text=True,
                ) as worker,
            ):
                Thread(target=_watch, args=(worker, at), daemon=True).start()
                assert worker.stdout is not None
                for line in worker.stdout:
                    said = json.loads(line)
                    report.take(said)
                    begin = said.get("next", begin)
                    show(report)
            if worker.returncode != 0:
                died_of = int.from_bytes(at.read_bytes(), "little")
                report.failures[died_of] = f"the process ended with {worker.returncode}: {errors.read_text()[-4000:]}"
                # what it had done and not told is done again
                left += [part for part in ((died_of + jobs, end), (begin, died_of)) if part[0] < part[1]]


def _watch(worker: subprocess.Popen[str], at: Path) -> None:
    """Stop a worker that hangs where no signal reaches it."""
    before, since = b"", time.monotonic()
    while worker.poll() is None:
        time.sleep(1)
        now = at.read_bytes() if at.exists() else b""
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > HANG:
            worker.kill()
