"""Rows cut into batches: by tokens, and a stream's in windows that grow. Nothing here knows torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice


def plan(lengths: Sequence[int], budget: int, most: int | None = None) -> list[list[int]]:
    """Sort sequences by length and cut them into batches of at most `budget` tokens, and at most `most` sequences.

    Returns lists of indices into `lengths`, longest sequences first; a sequence longer than the budget is alone.
    """
    batches: list[list[int]] = []
    room = 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if lengths[i] > room or not batches or (most and len(batches[-1]) >= most):
            batches.append([])
            room = budget
        batches[-1].append(i)
        room -= lengths[i]
    return batches


def windows(items: Iterable, first: int, size: int) -> Iterator[list]:
    """Consecutive lists of items, `first` long and then twice as long each time, up to `size`.

    So a stream is planned in bounded memory, and its first answers come soon.
    """
    source = iter(items)
    while batch := list(islice(source, first)):
        yield batch
        first = min(2 * first, size)
