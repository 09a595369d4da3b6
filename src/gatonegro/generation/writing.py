"""Sequences that a model is writing: what it keeps of them, and what it looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from gatonegro.config import Config
from gatonegro.nn.attention import Kept, Keys
from gatonegro.nn.decoder import Decoder
from gatonegro.packing import Layout, Packed, pack

ROOM = 32  # tokens by which lists of places grow
SCORES = 2**22  # at a time: such memory is used again and again, much more is asked of the system anew each time


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


# scores (rows, vocab) of rows from a number on → what is chosen of them, each a tensor whose first dimension is theirs
Choose = Callable[[Tensor, int], tuple[Tensor, ...]]


class Writing:
    """Some sequences, each a row; `copies` rows of one source stand together, begin alike and look at it together.

    A step computes one token a row, and nothing else: rows that are finished leave with `take`. Keys and values stay
    where they were kept first, whatever becomes of the rows; each row has a list of its tokens' places.
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
        self.together = max(1, SCORES // (copies * model.config.vocab_size))  # sources that are scored together
        self.kept = [Kept() for _ in model.decoder.layers]
        self.count = 0  # tokens that are kept
        self.lengths = torch.zeros(len(beginnings), dtype=torch.long)  # of each row
        self.places = torch.zeros(len(beginnings), 0, dtype=torch.int32)  # (rows, room), of each row's tokens
        self.keys: list[Keys] | None = None  # a layer, of all sources
        self.cross: Layout | None = None
        if sources is not None:
            packed = pack(sources, model.config).to(self.device)
            self.keys = model.decoder.keys_of(model.encode(packed))
            self.cross = Layout(tuple(map(len, beginnings)), packed.lengths)

    def start(self, choose: Choose) -> list[Tensor]:
        """What is chosen to follow each beginning."""
        x, packed = self._decode(self.begin)
        rows = torch.arange(len(self.begin)).repeat_interleave(self.copies)
        self.lengths, self.places = self.lengths[rows], self.places[rows]
        if self.cross is not None:
            self.cross = replace(self.cross, queries=(self.copies,) * len(self.begin))
        return self._choose(x[(torch.tensor(packed.lengths).cumsum(0) - 1).to(x.device)], packed, choose, self.copies)

    def step(self, tokens: Sequence[int], choose: Choose) -> list[Tensor]:
        """One more token a row, and what is chosen to follow."""
        return self._choose(*self._decode([[token] for token in tokens]), choose, 1)

    def _decode(self, new: Sequence[Sequence[int]]) -> tuple[Tensor, Packed]:
        """Hidden states (t, hidden) of new tokens of each row."""
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
        layout = Layout(counts, tuple(self.lengths.tolist()), places=self.places[held].to(self.device))
        return self.model.decode(packed, self.keys, self.cross, self.kept, layout), packed

    def _held(self) -> tuple[Tensor, Tensor]:
        """Numbers of tokens (room,), and of which of them each row has a place (rows, room)."""
        column = torch.arange(self.places.shape[1])
        return column, column < self.lengths[:, None]

    def _choose(self, x: Tensor, packed: Packed, choose: Choose, times: int) -> list[Tensor]:
        """Scores of a few rows after another, so that all do not lie in memory together; each counts `times`."""
        few = self.together * self.copies // times
        parts = []
        for i in range(0, len(x), few):
            scores = self.model.next(x[i : i + few], packed).float()  # (rows, vocab)
            parts.append(choose(scores if times == 1 else scores.repeat_interleave(times, 0), i * times))
        return [torch.cat(part) for part in zip(*parts, strict=True)]

    def take(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Go on with these rows, in this order, which are all that these sources have."""
        self.lengths, self.places = self.lengths[rows], self.places[rows]
        if self.cross is not None and len(sources) < len(self.cross.keys):
            keys, looked_at = self.cross.keys, self.cross.places
            if looked_at is None:
                looked_at = torch.arange(sum(keys), dtype=torch.int32, device=self.device)
            parts, left = looked_at.split(keys), tuple(keys[i] for i in sources)
            self.cross = Layout((self.copies,) * len(left), left, places=torch.cat([parts[i] for i in sources]))
        if self.count > 2 * int(self.lengths.sum()):  # most of what is kept is of rows that have left
            _, held = self._held()
            alive, places = torch.unique(self.places[held], return_inverse=True)
            self.places[held] = places.int()
            for kept in self.kept:
                kept.take(alive.to(self.device))
            self.count = len(alive)
