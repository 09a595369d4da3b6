"""Properties of plans and windows (hypothesis)."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gatonegro.batching import plan, windows

lengths = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), min_size=1, max_size=6)


@given(st.lists(st.integers(0, 300)), st.integers(1, 500), st.none() | st.integers(1, 9))
def test_a_plan_has_each_index_once_and_keeps_to_its_budget(lengths, budget, most):
    batches = plan(lengths, budget, most)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert batch and len(batch) <= (most or len(batch))
        assert sum(lengths[i] for i in batch) <= budget or len(batch) == 1
    order = [lengths[i] for batch in batches for i in batch]
    assert order == sorted(order, reverse=True), "neighbours are of like length"
    for one, after in pairwise(batches):  # no batch was closed while the next sequence would have fit
        full = sum(lengths[i] for i in one) + lengths[after[0]] > budget
        assert full or len(one) == most


@given(st.lists(st.integers()), st.integers(1, 9), st.integers(1, 20))
def test_windows_lose_nothing_keep_the_order_and_grow(items, first, size):
    size = max(first, size)
    found = list(windows(iter(items), first, size))
    assert [item for window in found for item in window] == items
    assert all(len(window) == min(size, first * 2**i) for i, window in enumerate(found[:-1]))
    assert all(0 < len(window) <= size for window in found)


@given(st.integers(1, 9), st.integers(1, 20))
def test_windows_read_no_further_than_they_give(first, size):
    taken = []
    source = (taken.append(i) or i for i in range(1000))
    given_out = 0
    for window in windows(source, first, max(first, size)):
        given_out += len(window)
        assert len(taken) == given_out
