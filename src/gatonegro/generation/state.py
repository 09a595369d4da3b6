"""The state of token-by-token decoding: key–value caches, and each sequence's places in them."""

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

SLOT_GROWTH = 32  # tokens by which the table of slots grows
MAX_LOGITS = 2**22  # logits computed at a time: PyTorch reuses that much memory, and allocates much more anew


class GenerativeModel(Protocol):
    """The methods and attributes that a model needs for text generation."""

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

    def logits(self, x: Tensor, packed: Packed) -> Tensor: ...


# (logits (rows, vocab), index of the first row) → the choices, tensors (rows, …)
Choose = Callable[[Tensor, int], tuple[Tensor, ...]]


class DecodingState:
    """The state of sequences that are decoded together, with `num_beams` adjacent rows for each source sequence.

    A step decodes one token per row; `select` reorders and drops rows. Keys and values do not move: each row has a list
    of its tokens' slots in the caches. The rows of a source share its prompt and the source's keys. With `whole`, a
    choice sees the logits of all rows at once.
    """

    def __init__(
        self,
        model: GenerativeModel,
        sources: Sequence[Sequence[int]] | None,
        prompt_ids: Sequence[Sequence[int]],
        num_beams: int = 1,
        whole: bool = False,
    ):
        self.model, self.prompt_ids, self.num_beams, self.device = model, prompt_ids, num_beams, model.device
        self.position_offset = (model.config.decoder or model.config).position_offset
        fitting = max(1, MAX_LOGITS // (num_beams * model.config.vocab_size))
        self.chunk = max(1, len(prompt_ids)) if whole else fitting  # sources whose logits are computed at a time
        self.kv_caches = [KVCache() for _ in model.decoder.layers]
        self.num_cached = 0  # tokens in the caches
        self.lengths = torch.zeros(len(prompt_ids), dtype=torch.long)  # per row
        self.slots = torch.zeros(len(prompt_ids), 0, dtype=torch.int32)  # (rows, columns), of each row's tokens
        self.memory: list[KV] | None = None  # per layer, of all sources
        self.cross: Layout | None = None
        if sources is not None:
            packed = pack(sources, model.config).to(self.device)
            self.memory = model.decoder.project_memory(model.encode(packed))
            self.cross = Layout(tuple(map(len, prompt_ids)), packed.lengths)

    def prefill(self, choose: Choose) -> list[Tensor]:
        """Decode each source's prompt once, and return the first new tokens, picked by the function `choose`."""
        x, packed = self._decode(self.prompt_ids)
        rows = torch.arange(len(self.prompt_ids)).repeat_interleave(self.num_beams)
        self.lengths, self.slots = self.lengths[rows], self.slots[rows]
        if self.cross is not None:
            self.cross = replace(self.cross, query_lengths=(self.num_beams,) * len(self.prompt_ids))
        last = (torch.tensor(packed.lengths).cumsum(0) - 1).to(x.device)
        return self._choose(x[last], packed, choose, self.num_beams)

    def step(self, tokens: Sequence[int], choose: Choose) -> list[Tensor]:
        """Append one token to each sequence, and return the next tokens, picked by the function `choose`."""
        return self._choose(*self._decode([[token] for token in tokens]), choose, 1)

    def _decode(self, new: Sequence[Sequence[int]]) -> tuple[Tensor, Packed]:
        """Decode the new tokens of each sequence with the key–value caches, and return their hidden states."""
        counts, before = tuple(map(len, new)), self.lengths
        self.lengths = before + torch.tensor(counts)
        if (missing := int(self.lengths.max()) - self.slots.shape[1]) > 0:
            self.slots = F.pad(self.slots, (0, missing + SLOT_GROWTH))
        column, used = self._used_slots()
        fresh = used & (column >= before[:, None])
        first, self.num_cached = self.num_cached, self.num_cached + sum(counts)
        self.slots[fresh] = torch.arange(first, self.num_cached, dtype=torch.int32)
        ids, positions = torch.tensor([i for row in new for i in row]), column.expand_as(used)[fresh]
        packed = Packed(ids, positions + self.position_offset, counts).to(self.device)
        layout = Layout(counts, tuple(self.lengths.tolist()), key_slots=self.slots[used].to(self.device))
        return self.model.decode(packed, self.memory, self.cross, self.kv_caches, layout), packed

    def _used_slots(self) -> tuple[Tensor, Tensor]:
        """Return the column indices of the table from tokens to cache positions, and a mask of its used entries."""
        column = torch.arange(self.slots.shape[1])
        return column, column < self.lengths[:, None]

    def _choose(self, x: Tensor, packed: Packed, choose: Choose, repeats: int) -> list[Tensor]:
        """Choose next tokens from the logits of a few rows at a time, which saves memory, and join the choices."""
        size = self.chunk * self.num_beams // repeats
        parts = []
        for i in range(0, len(x), size):
            logits = self.model.logits(x[i : i + size], packed).float()  # (rows, vocab)
            parts.append(choose(logits if repeats == 1 else logits.repeat_interleave(repeats, 0), i * repeats))
        return [torch.cat(part) for part in zip(*parts, strict=True)]

    def select(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Keep only the decoded sequences of the given sources, in the order of the given row indices."""
        self.lengths, self.slots = self.lengths[rows], self.slots[rows]
        if self.cross is not None and len(sources) < len(self.cross.key_lengths):
            lengths, slots = self.cross.key_lengths, self.cross.key_slots
            if slots is None:
                slots = torch.arange(sum(lengths), dtype=torch.int32, device=self.device)
            parts, left = slots.split(lengths), tuple(lengths[i] for i in sources)
            self.cross = Layout((self.num_beams,) * len(left), left, key_slots=torch.cat([parts[i] for i in sources]))
        if self.num_cached > 2 * int(self.lengths.sum()):  # most of the cache belongs to rows that were dropped
            _, used = self._used_slots()
            live, slots = torch.unique(self.slots[used], return_inverse=True)
            self.slots[used] = slots.int()
            for kv_cache in self.kv_caches:
                kv_cache.select(live.to(self.device))
            self.num_cached = len(live)
