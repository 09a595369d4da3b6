"""Grouping of sequences into batches by number of tokens, and of a stream's items into growing lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def plan(lengths: Sequence[int], max_tokens: int, batch_size: int | None = None) -> list[list[int]]:
    """Sort sequences by length and group them into batches of at most `max_tokens` tokens.

    Args:
        lengths: tokens per sequence.
        max_tokens: largest number of tokens per batch; a longer sequence is a batch by itself.
        batch_size: largest number of sequences per batch.

    Returns:
        Per batch, its indices into `lengths`; longest sequences first.
    """
    batches: list[list[int]] = []
    free = 0  # tokens that still fit into the last batch
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if lengths[i] > free or not batches or (batch_size and len(batches[-1]) >= batch_size):
            batches.append([])
            free = max_tokens
        batches[-1].append(i)
        free -= lengths[i]
    return batches


def windows(items: Iterable[Item], first_size: int, max_size: int) -> Iterator[list[Item]]:
    """Yield lists of consecutive items, the first of `first_size` items, each next twice as long up to `max_size`."""
    source, size = iter(items), first_size
    while True:
        window: list[Item] = []
        try:
            window.extend(islice(source, size))
        except Exception:
            if window:  # items that were read before the source failed
                yield window
            raise
        if not window:
            return
        yield window
        size = min(2 * size, max_size)
