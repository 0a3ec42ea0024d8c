"""One process of the run: tries its share of the files, and says on its output what became of them."""

from __future__ import annotations

import gc
import json
import resource
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType

from fuzz.mutate import mutated
from fuzz.seeds import Seed, seeds
from fuzz.trial import trial

SECONDS = 2.0  # of processor time that one file may take
SMALLEST = 1 << 20  # bytes that any file counts as: pages, NumPy and the allocator come in pieces as large
EVERY = 200  # files between two reports


class TooSlow(BaseException):
    """The file took its time."""


def file(number: int, seed: int, sources: list[Seed]) -> tuple[Seed, bytes]:
    """The mutated file of that number, and what it was made of."""
    rng = Random(f"{seed} {number}")
    source = rng.choice(sources)
    return source, mutated(source.data, [s.data for s in sources], rng)


def work(seed: int, first: int, last: int, step: int, at: Path) -> None:
    """Try the files first, first + step, ... below last. `at` always holds the number of the file under way."""
    warnings.simplefilter("error", RuntimeWarning)
    sources = seeds()
    counts: Counter[str] = Counter()
    most_memory = most_seconds = 0.0
    with at.open("r+b", buffering=0) as current:
        for done, number in enumerate(range(first, last, step), 1):
            current.seek(0)
            current.write(number.to_bytes(8, "little"))
            source, data = file(number, seed, sources)
            before, start = resident(), time.process_time()
            reset_peak()
            try:
                with limited(SECONDS):
                    counts[trial(data, source.limits, number)] += 1
            except (Exception, TooSlow):
                say(failure=number, source=source.name, what=traceback.format_exc(limit=-6))
            seconds, grown = time.process_time() - start, peak() - before
            share = grown / max(source.limits.bytes / 10, SMALLEST)
            if share > 10 or seconds > SECONDS:
                say(
                    failure=number,
                    source=source.name,
                    what=f"{seconds:.1f} s, {grown} bytes: {share:.1f} times its share",
                )
            most_memory, most_seconds = max(most_memory, share), max(most_seconds, seconds)
            if done % EVERY == 0 or number + step >= last:
                say(next=number + step, counts=counts, memory=most_memory, seconds=most_seconds)
                counts.clear()
                gc.collect()


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises TooSlow in the midst of what takes longer, in processor time."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def resident() -> int:
    """Bytes of memory in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """The most bytes in use since `reset_peak`."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    work(*map(int, sys.argv[1:5]), Path(sys.argv[5]))
