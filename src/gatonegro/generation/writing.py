"""Sequences that a model is writing: what it keeps of them, and what it looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from gatonegro.config import Config
from gatonegro.nn.attention import Kept, Keys
from gatonegro.nn.decoder import Decoder
from gatonegro.packing import Layout, Packed, pack

ROOM = 32  # tokens by which a cache grows


class Writer(Protocol):
    """What is asked of a model that writes."""

    config: Config
    decoder: Decoder

    @property
    def device(self) -> torch.device: ...

    def encode(self, packed: Packed) -> Tensor: ...

    def decode(
        self,
        packed: Packed,
        memory: Tensor | Sequence[Keys] | None = None,
        cross: Layout | None = None,
        kept: Sequence[Kept] | None = None,
        layout: Layout | None = None,
    ) -> Tensor: ...

    def next(self, x: Tensor, packed: Packed) -> Tensor: ...


class Writing:
    """Some sequences, each a row; rows of one source stand together, and look at it together.

    A step computes one token a row, and nothing else: rows that are finished leave with `take`.
    """

    def __init__(self, model: Writer, sources: Sequence[Sequence[int]] | None, beginnings: Sequence[Sequence[int]]):
        self.model = model
        self.config = model.config.decoder or model.config
        self.kept = [Kept() for _ in model.decoder.layers]
        self.lengths = [0] * len(beginnings)  # of each row, tokens that are kept
        self.room = 0  # tokens of each row for which the cache has a place
        self.copies = 1  # rows that each source has
        self.keys: list[Keys] | None = None  # a layer, of all sources
        self.read: tuple[int, ...] = ()  # tokens of each source
        if sources is not None:
            packed = pack(sources, model.config).to(model.device)
            self.keys, self.read = model.decoder.keys_of(model.encode(packed)), packed.lengths
        self.begin = [list(ids) for ids in beginnings]

    def start(self) -> Tensor:
        """The scores of what follows each beginning. (rows, vocab)"""
        x, packed = self._decode(self.begin)
        last = torch.tensor(packed.lengths).cumsum(0) - 1
        return self.model.next(x[last.to(x.device)], packed)

    def step(self, tokens: Sequence[int]) -> Tensor:
        """One more token a row, and the scores of what follows. (rows, vocab)"""
        return self.model.next(*self._decode([[token] for token in tokens]))

    def _decode(self, new: Sequence[Sequence[int]]) -> tuple[Tensor, Packed]:
        counts = tuple(map(len, new))
        lengths = tuple(a + b for a, b in zip(self.lengths, counts, strict=True))
        ids = torch.tensor([i for row in new for i in row])
        places = torch.cat([torch.arange(a, b) for a, b in zip(self.lengths, lengths, strict=True)])
        packed = Packed(ids, places + self.config.position_offset, counts).to(self.model.device)
        self.room = max(self.room, -(-max(lengths) // ROOM) * ROOM)
        layout = Layout(counts, lengths, room=self.room)
        # rows of one source are queries of one sequence: its keys are there once
        together = tuple(sum(counts[i : i + self.copies]) for i in range(0, len(counts), self.copies))
        cross = None if self.keys is None else Layout(together, self.read)
        x = self.model.decode(packed, self.keys, cross, self.kept, layout)
        self.lengths = list(lengths)
        return x, packed

    def spread(self, copies: int) -> None:
        """So many rows of each source, that begin alike."""
        if copies > 1:
            rows = torch.arange(len(self.lengths)).repeat_interleave(copies)
            self._keep(rows)
            self.copies *= copies

    def take(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Go on with these rows, in this order, which are all that these sources have."""
        if len(sources) < len(self.lengths) // self.copies and self.keys is not None:
            parts = torch.tensor(self.read).cumsum(0).tolist()
            places = torch.cat([torch.arange(parts[i] - self.read[i], parts[i]) for i in sources])
            places = places.to(self.model.device)
            self.keys = [(k[places], v[places]) for k, v in self.keys]
            self.read = tuple(self.read[i] for i in sources)
        if list(rows) != list(range(len(self.lengths))):
            self._keep(torch.tensor(rows, dtype=torch.long))

    def _keep(self, rows: Tensor) -> None:
        for kept in self.kept:
            kept.take(rows.to(self.model.device))
        self.lengths = [self.lengths[i] for i in rows.tolist()]
