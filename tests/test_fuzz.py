"""Some of the mutated files that `python -m tests.fuzz` tries by the hundred thousand."""

from __future__ import annotations

from fuzz.seeds import seeds
from fuzz.trial import trial
from fuzz.worker import SECONDS, file, limited
from hypothesis import given, settings
from hypothesis import strategies as st

from pyquant.errors import FormatError, GraphError
from pyquant.graph import load

FILES = 600
SOURCES = seeds()


def test_mutated_files_run_or_are_refused() -> None:
    ran = 0
    for number in range(FILES):
        source, data = file(number, 0, SOURCES)
        with limited(SECONDS):
            ran += trial(data, source.limits, number) == "ran"
    assert 0 < ran < FILES


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_random_bytes_are_refused(data: bytes) -> None:
    for sound_start in (b"", b"\x08\0\0\0TFL3"):
        try:
            load(sound_start + data)
        except (FormatError, GraphError):
            continue


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_changed_words_are_refused_or_harmless(data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(SOURCES))
    at = 4 * data.draw(st.integers(0, len(source.data) // 4 - 1))
    word = data.draw(st.integers(0, 2**32 - 1)).to_bytes(4, "little")
    with limited(SECONDS):
        trial(source.data[:at] + word + source.data[at + 4 :], source.limits, at)


def test_mutations_are_the_same_again() -> None:
    assert [file(n, 3, SOURCES)[1] for n in range(50)] == [file(n, 3, SOURCES)[1] for n in range(50)]
