"""Sequences during generation: their keys and values, and the layout of attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from gatonegro.config import Config
from gatonegro.nn.attention import KV, KVCache
from gatonegro.nn.decoder import Decoder
from gatonegro.packing import Layout, Packed, pack

ROOM = 32  # tokens by which lists of places grow
SCORES = 2**22  # scores computed at a time: PyTorch reuses that much memory, and allocates much more anew


class Writer(Protocol):
    """The interface of a model that generates."""

    config: Config
    decoder: Decoder

    @property
    def device(self) -> torch.device: ...

    def encode(self, packed: Packed) -> Tensor: ...

    def decode(
        self,
        packed: Packed,
        memory: Tensor | Sequence[KV] | None = None,
        cross: Layout | None = None,
        kv_caches: Sequence[KVCache] | None = None,
        layout: Layout | None = None,
    ) -> Tensor: ...

    def next(self, x: Tensor, packed: Packed) -> Tensor: ...


# (scores (rows, vocab), index of the first row) → the choices, tensors (rows, …)
Choose = Callable[[Tensor, int], tuple[Tensor, ...]]


class Writing:
    """Sequences in rows; the `copies` rows of a source are neighbours, with one prompt and one cross-attention layout.

    A step computes one token per row; `take` removes finished rows. KV and values are not moved when rows are: each
    row has a list of its tokens' places.
    """

    def __init__(
        self,
        model: Writer,
        sources: Sequence[Sequence[int]] | None,
        beginnings: Sequence[Sequence[int]],
        copies: int = 1,
    ):
        self.model, self.begin, self.copies, self.device = model, beginnings, copies, model.device
        self.offset = (model.config.decoder or model.config).position_offset
        self.together = max(1, SCORES // (copies * model.config.vocab_size))  # sources scored together
        self.kv_caches = [KVCache() for _ in model.decoder.layers]
        self.count = 0  # tokens in the cache
        self.lengths = torch.zeros(len(beginnings), dtype=torch.long)  # per row
        self.places = torch.zeros(len(beginnings), 0, dtype=torch.int32)  # (rows, room), of each row's tokens
        self.keys: list[KV] | None = None  # per layer, of all sources
        self.cross: Layout | None = None
        if sources is not None:
            packed = pack(sources, model.config).to(self.device)
            self.keys = model.decoder.project_memory(model.encode(packed))
            self.cross = Layout(tuple(map(len, beginnings)), packed.lengths)

    def start(self, choose: Choose) -> list[Tensor]:
        """Return what `choose` chooses after each prompt."""
        x, packed = self._decode(self.begin)
        rows = torch.arange(len(self.begin)).repeat_interleave(self.copies)
        self.lengths, self.places = self.lengths[rows], self.places[rows]
        if self.cross is not None:
            self.cross = replace(self.cross, query_lengths=(self.copies,) * len(self.begin))
        return self._choose(x[(torch.tensor(packed.lengths).cumsum(0) - 1).to(x.device)], packed, choose, self.copies)

    def step(self, tokens: Sequence[int], choose: Choose) -> list[Tensor]:
        """Append one token per row; return what `choose` chooses after it."""
        return self._choose(*self._decode([[token] for token in tokens]), choose, 1)

    def _decode(self, new: Sequence[Sequence[int]]) -> tuple[Tensor, Packed]:
        """Return hidden states (t, hidden) of each row's new tokens."""
        counts, before = tuple(map(len, new)), self.lengths
        self.lengths = before + torch.tensor(counts)
        if (missing := int(self.lengths.max()) - self.places.shape[1]) > 0:
            self.places = F.pad(self.places, (0, missing + ROOM))
        column, held = self._held()
        fresh = held & (column >= before[:, None])
        first, self.count = self.count, self.count + sum(counts)
        self.places[fresh] = torch.arange(first, self.count, dtype=torch.int32)
        ids, positions = torch.tensor([i for row in new for i in row]), column.expand_as(held)[fresh]
        packed = Packed(ids, positions + self.offset, counts).to(self.device)
        layout = Layout(counts, tuple(self.lengths.tolist()), key_slots=self.places[held].to(self.device))
        return self.model.decode(packed, self.keys, self.cross, self.kv_caches, layout), packed

    def _held(self) -> tuple[Tensor, Tensor]:
        """Return the columns of `places` (room,), and a mask of those that each row uses (rows, room)."""
        column = torch.arange(self.places.shape[1])
        return column, column < self.lengths[:, None]

    def _choose(self, x: Tensor, packed: Packed, choose: Choose, times: int) -> list[Tensor]:
        """Return the choices, computed for a few rows at a time to save memory; each row is repeated `times`."""
        size = self.together * self.copies // times
        parts = []
        for i in range(0, len(x), size):
            scores = self.model.next(x[i : i + size], packed).float()  # (rows, vocab)
            parts.append(choose(scores if times == 1 else scores.repeat_interleave(times, 0), i * times))
        return [torch.cat(part) for part in zip(*parts, strict=True)]

    def take(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Keep these rows, in this order: all those of `sources`."""
        self.lengths, self.places = self.lengths[rows], self.places[rows]
        if self.cross is not None and len(sources) < len(self.cross.key_lengths):
            keys, places = self.cross.key_lengths, self.cross.key_slots
            if places is None:
                places = torch.arange(sum(keys), dtype=torch.int32, device=self.device)
            parts, left = places.split(keys), tuple(keys[i] for i in sources)
            self.cross = Layout((self.copies,) * len(left), left, key_slots=torch.cat([parts[i] for i in sources]))
        if self.count > 2 * int(self.lengths.sum()):  # most of the cache is of rows that are gone
            _, held = self._held()
            alive, places = torch.unique(self.places[held], return_inverse=True)
            self.places[held] = places.int()
            for kv_cache in self.kv_caches:
                kv_cache.select(alive.to(self.device))
            self.count = len(alive)
