"""The arena planner: nothing that lives together overlaps, everything is aligned, and no bytes are wasted."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyquant.run.arena import ALIGNMENT, ORDERS, Block, in_order, most_alive, place, place_in_order

blocks = st.lists(
    st.builds(
        lambda size, first, life: Block(size, first, first + life),
        st.integers(0, 1000),
        st.integers(-1, 20),
        st.integers(0, 20),
    ),
    max_size=30,
)


def padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


@pytest.mark.parametrize("most", [20, 20_000_000])
@given(blocks=blocks)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_blocks_that_live_together_do_not_overlap(most, blocks, monkeypatch):
    monkeypatch.setattr("pyquant.run.arena.MOST_COMPARISONS", most)
    offsets, total = place(blocks)
    placed = list(zip(offsets, blocks, strict=True))
    for i, (a, x) in enumerate(placed):
        assert a % ALIGNMENT == 0
        assert a + x.size <= total
        for b, y in placed[:i]:
            apart = x.last < y.first or y.last < x.first
            assert apart or not x.size or not y.size or a + x.size <= b or b + y.size <= a


@given(blocks)
def test_total_lies_between_the_peak_and_the_sum(blocks):
    _, total = place(blocks)
    steps = range(-1, 42)
    peak = max(sum(padded(b.size) for b in blocks if b.first <= step <= b.last) for step in steps)
    assert peak == most_alive(blocks)
    assert peak <= total <= sum(padded(b.size) for b in blocks)


@given(blocks)
def test_no_order_does_better(blocks):
    assert place(blocks)[1] == min(place_in_order(blocks, in_order(blocks, order))[1] for order in ORDERS)


@given(blocks, st.sampled_from([1, 16, 64]), st.randoms(use_true_random=False), st.integers(0, 3))
def test_each_block_takes_the_lowest_gap(blocks, alignment, random, count):
    order = random.sample(range(len(blocks)), len(blocks))
    fixed = {i: random.choice([0, 7, 64, 640]) for i in order[:count]}
    offsets, spans = {}, []
    for i in order:
        size, first, last = blocks[i]
        size = -(-size // alignment) * alignment
        beside = [(a, b) for a, b, begin, end in spans if begin <= last and first <= end]
        starts = [0, *(end for _, end in beside)]
        free = [start for start in starts if all(start + size <= a or b <= start for a, b in beside)]
        offsets[i] = fixed.get(i, min(free) if size else 0)
        spans += [(offsets[i], offsets[i] + size, first, last)] if size else []
    top = max([0, *(end for _, end, _, _ in spans), *fixed.values()])
    assert place_in_order(blocks, order, alignment, fixed) == ([offsets[i] for i in range(len(blocks))], top)


def test_a_fixed_block_stays_where_it_is():
    blocks = [Block(64, 0, 1), Block(64, 0, 1), Block(64, 1, 2)]
    assert place_in_order(blocks, [1, 0, 2], fixed={1: 64}) == ([0, 64, 128], 192)


def test_a_chain_needs_its_two_largest_neighbours():
    sizes = [640, 1280, 320, 1280, 64]
    assert place([Block(size, i - 1, i) for i, size in enumerate(sizes)])[1] == 1280 + 640
