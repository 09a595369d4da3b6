"""Batches of rows: planned by tokens, and in windows that grow for a stream. This module does not import torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def plan(lengths: Sequence[int], budget: int, most: int | None = None) -> list[list[int]]:
    """Sort sequences by length and cut them into batches of at most `budget` tokens, and at most `most` sequences.

    Returns lists of indices into `lengths`, longest sequences first. A sequence longer than the budget is alone.
    """
    batches: list[list[int]] = []
    left = 0  # tokens, of the last batch's budget
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if lengths[i] > left or not batches or (most and len(batches[-1]) >= most):
            batches.append([])
            left = budget
        batches[-1].append(i)
        left -= lengths[i]
    return batches


def windows(items: Iterable[Item], first: int, size: int) -> Iterator[list[Item]]:
    """Return consecutive lists of items: `first` long, then twice as long each time, up to `size`.

    A stream is planned in bounded memory so, and its first answers come soon.
    """
    source = iter(items)
    while True:
        batch: list[Item] = []
        try:
            batch.extend(islice(source, first))
        except Exception:
            if batch:  # what was read before the source failed is not lost
                yield batch
            raise
        if not batch:
            return
        yield batch
        first = min(2 * first, size)
