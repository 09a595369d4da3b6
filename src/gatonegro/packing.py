"""Packed batches: sequences end to end in one array without padding.

Layers compute on `Packed`, which has no padding and hence no mask. One sentence is a batch of one. The tokens of
sequence `n` are rows `sum(lengths[:n])` to `sum(lengths[:n + 1])`. The arrays are numpy's; `to` gives the tensors on
which a model of PyTorch computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gatonegro.checks import short_repr, whole
from gatonegro.config import Config
from gatonegro.errors import InputError
from gatonegro.i18n import catalog

MESSAGES = catalog(Path(__file__).with_name("packing.json"))

Array = Any  # a numpy array or a tensor of PyTorch
T = TypeVar("T", bound="Arrays")


@dataclass(frozen=True)
class Arrays:
    """A record of arrays, which `to` replaces by tensors."""

    def to(self: T, device: Any) -> T:
        """Return the record with tensors on a device, or itself if its arrays are that already."""
        import torch

        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {name: array for name, array in arrays.items() if isinstance(array, np.ndarray | torch.Tensor)}
        tensors: dict[str, Any] = {name: torch.as_tensor(array, device=device) for name, array in arrays.items()}
        return replace(self, **tensors) if any(tensors[name] is not array for name, array in arrays.items()) else self


@dataclass(frozen=True)
class Layout(Arrays):
    """The number of attention queries and keys of each sequence in a packed batch.

    The two differ in cross-attention and with a cache. In self-attention they are equal, unless some tokens are
    queries only: then `key_rows` (u,) are the packed tokens that are keys.

    With `key_slots` (u,) int32, the keys are those rows of a larger array, such as a cache in which sequences share
    their first tokens.
    """

    query_lengths: tuple[int, ...]
    key_lengths: tuple[int, ...]
    key_rows: Array | None = None
    key_slots: Array | None = None

    @cached_property
    def runs(self) -> list[tuple[int, int, int]]:
        """The runs of adjacent sequences with equal lengths, as tuples (sequences, query length, key length).

        Attention makes one call per run, so sorted sequences take few calls. Any order is correct.
        """
        pairs = zip(self.query_lengths, self.key_lengths, strict=True)
        return [(len(list(group)), q, k) for (q, k), group in groupby(pairs)]

    @cached_property
    def cu_seqlens(self) -> tuple[np.ndarray, np.ndarray]:
        """The cumulative sums (n + 1,) int32 of the sequences' query lengths and of their key lengths, from 0 on."""
        queries, keys = (np.cumsum([0, *lengths], dtype=np.int32) for lengths in (self.query_lengths, self.key_lengths))
        return queries, keys


@dataclass(frozen=True)
class Packed(Arrays):
    """A batch of sequences without padding: their token ids, positions and token types end to end, and their lengths.

    `embeds` (t, hidden), if not None, replaces the token embeddings. `is_key` (t,), if not None, is false for tokens
    that are queries only. The other arrays are (t,) too.
    """

    ids: Array
    positions: Array
    lengths: tuple[int, ...]
    token_types: Array | None = None
    embeds: Array | None = None
    is_key: Array | None = None

    @cached_property
    def layout(self) -> Layout:
        """The number of self-attention queries and keys of each sequence in the batch."""
        if self.is_key is None:
            return Layout(self.lengths, self.lengths)
        rows = np.flatnonzero(self.is_key.tolist())
        keys = np.diff(np.searchsorted(rows, np.cumsum([0, *self.lengths])))
        return Layout(self.lengths, tuple(keys.tolist()), self._like_ids(rows))

    @cached_property
    def first_tokens(self) -> Array:
        """The index of each sequence's first token in the packed batch; InputError if one has no token."""
        lengths = np.array(self.lengths, np.int64)
        if not lengths.all():
            raise InputError(*MESSAGES["empty_row"].format(row=self.lengths.index(0), name="input_ids"))
        return self._like_ids(lengths.cumsum() - lengths)

    @property
    def last_tokens(self) -> Array:
        """The index of each sequence's last token in the packed batch."""
        return self._like_ids(np.cumsum(self.lengths, dtype=np.int64) - 1)

    def _like_ids(self, array: np.ndarray) -> Array:
        """Return an array as the ids are: numpy's, or a tensor on their device."""
        if isinstance(self.ids, np.ndarray):
            return array
        import torch

        return torch.as_tensor(array, device=self.ids.device)

    def indices(self, queried: Sequence[Sequence[int]]) -> np.ndarray:
        """Return the indices in the packed batch of some tokens of each sequence, given by their indices there."""
        try:
            parts = zip(self.first_tokens.tolist(), self.lengths, queried, strict=False)
            found = [first + flat_ids("queried", [tokens], length) for first, length, tokens in parts]
        except TypeError:
            raise InputError(*MESSAGES["not_ids"].format(name="queried", kind=type(queried).__name__)) from None
        return np.concatenate([np.zeros(0, np.int64), *found])


def pack(
    sequences: Sequence[Sequence[int]],
    config: Config,
    token_types: Sequence[Sequence[int]] | None = None,
    *,
    pad_to_multiple_of: int = 1,
) -> Packed:
    """Pack sequences of token ids, and of token types if given, into one batch without padding.

    With `pad_to_multiple_of`, sequences of pad tokens are appended until the number of tokens is a multiple of it, so
    that kernels compiled per shape see few shapes. They come last; drop their outputs.
    """
    ids_in_order = flat_ids("input_ids", sequences, config.vocab_size)
    lengths = [len(s) for s in sequences]
    longest = max(lengths, default=0)
    if longest > config.max_tokens:
        raise InputError(*MESSAGES["long_sequence"].format(longest=longest, max_tokens=config.max_tokens))
    missing = -sum(lengths) % whole(1)("pad_to_multiple_of", pad_to_multiple_of)
    while missing:
        lengths.append(min(missing, config.max_tokens))
        missing -= lengths[-1]
    total, start = sum(lengths), config.position_offset
    ids = np.full(total, config.pad_token_id or 0, np.int64)
    ids[: len(ids_in_order)] = ids_in_order
    types = None
    if token_types is not None:
        types = np.zeros(total, np.int64)
        types_in_order = flat_ids("token_type_ids", token_types, max(config.type_vocab_size, 1))
        if (type_lengths := [len(s) for s in token_types]) != lengths[: len(sequences)]:
            rows = {"shape": short_repr(type_lengths), "batch": short_repr(lengths[: len(sequences)])}
            raise InputError(*MESSAGES["shape"].format(name="token_type_ids", **rows))
        types[: len(ids_in_order)] = types_in_order
    counts = np.array(lengths, np.int64)
    firsts = np.repeat(counts.cumsum() - counts, counts)  # (t,)
    return Packed(ids, np.arange(total, dtype=np.int64) - firsts + start, tuple(lengths), types)


def flat_ids(name: str, sequences: Sequence[Sequence[int]], count: int) -> np.ndarray:
    """Return the ids of all sequences end to end; raise InputError if they are no ids, or outside 0 … count - 1."""
    try:
        rows: list[Any] = [s.tolist() if hasattr(s, "tolist") else s for s in sequences]
        ids = np.array([i for row in rows for i in row])
        if ids.ndim != 1 or (len(ids) and ids.dtype.kind not in "biu"):
            raise TypeError
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise InputError(*MESSAGES["not_ids"].format(name=name, kind=type(sequences).__name__)) from None
    check_range(name, ids, count)
    return ids.astype(np.int64)


def check_range(name: str, ids: Array, count: int) -> None:
    """Raise InputError if an id is outside 0 … count - 1."""
    if 0 not in ids.shape:
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= count:
            problem = MESSAGES[name].format(wrong=low if low < 0 else high, last=count - 1)
            raise InputError(f"{name} {problem.en}", f"{name} {problem.es}")
