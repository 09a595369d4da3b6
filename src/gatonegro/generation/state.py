"""The state of token-by-token decoding: key–value caches, and each sequence's places in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gatonegro.generation.arrays import is_tensor, to_numpy
from gatonegro.packing import Array, Layout, Packed, pack

if TYPE_CHECKING:
    from gatonegro.text_model import TextModel

SLOT_GROWTH = 32  # tokens by which the table of slots grows
MAX_LOGITS = 2**22  # logits computed at a time: PyTorch reuses that much memory, and allocates much more anew


# (logits (rows, vocab), an array or a GPU's tensor; index of the first row) → the choices, arrays (rows, …)
Choose = Callable[[Array, int], tuple[np.ndarray, ...]]


class DecodingState:
    """The state of sequences that are decoded together, with `num_beams` adjacent rows for each source sequence.

    A step decodes one token per row; `select` reorders and drops rows. Keys and values do not move: each row has a list
    of its tokens' slots in the caches. The rows of a source share its prompt and the source's keys. With `whole`, a
    choice sees the logits of all rows at once.
    """

    def __init__(
        self,
        model: TextModel,
        sources: Sequence[Sequence[int]] | None,
        prompt_ids: Sequence[Sequence[int]],
        num_beams: int = 1,
        whole: bool = False,
    ):
        self.model, self.prompt_ids, self.num_beams = model, prompt_ids, num_beams
        self.position_offset = (model.config.decoder or model.config).position_offset
        fitting = max(1, MAX_LOGITS // (num_beams * model.config.vocab_size))
        self.chunk = max(1, len(prompt_ids)) if whole else fitting  # sources whose logits are computed at a time
        self.kv_caches = model.new_caches()
        self.num_cached = 0  # tokens in the caches
        self.lengths = np.zeros(len(prompt_ids), np.int64)  # per row
        self.slots = np.zeros((len(prompt_ids), 0), np.int32)  # (rows, columns), of each row's tokens
        self.memory: Sequence[Any] | None = None  # per layer, of all sources
        self.cross: Layout | None = None
        if sources is not None:
            packed = pack(sources, model.config)
            self.memory = model.project_memory(model.encode(packed))
            self.cross = Layout(tuple(map(len, prompt_ids)), packed.lengths)

    def prefill(self, choose: Choose) -> list[np.ndarray]:
        """Decode each source's prompt once, and return the first new tokens, picked by the function `choose`."""
        x, packed = self._decode(self.prompt_ids)
        rows = np.repeat(np.arange(len(self.prompt_ids)), self.num_beams)
        self.lengths, self.slots = self.lengths[rows], self.slots[rows]
        if self.cross is not None:
            self.cross = replace(self.cross, query_lengths=(self.num_beams,) * len(self.prompt_ids))
        return self._choose(x[packed.last_tokens], packed, choose, self.num_beams)

    def step(self, tokens: Sequence[int], choose: Choose) -> list[np.ndarray]:
        """Append one token to each sequence, and return the next tokens, picked by the function `choose`."""
        return self._choose(*self._decode([[token] for token in tokens]), choose, 1)

    def _decode(self, new: Sequence[Sequence[int]]) -> tuple[Array, Packed]:
        """Decode the new tokens of each sequence with the key–value caches, and return their hidden states."""
        counts, before = tuple(map(len, new)), self.lengths
        self.lengths = before + counts
        if (missing := int(self.lengths.max()) - self.slots.shape[1]) > 0:
            self.slots = np.pad(self.slots, ((0, 0), (0, missing + SLOT_GROWTH)))
        column, used = self._used_slots()
        fresh = used & (column >= before[:, None])
        first, self.num_cached = self.num_cached, self.num_cached + sum(counts)
        self.slots[fresh] = np.arange(first, self.num_cached)
        ids = np.array([i for row in new for i in row], np.int64)
        packed = Packed(ids, fresh.nonzero()[1] + self.position_offset, counts)
        layout = Layout(counts, tuple(self.lengths.tolist()), key_slots=self.slots[used])
        return self.model.decode(packed, self.memory, self.cross, self.kv_caches, layout), packed

    def _used_slots(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the column indices of the table from tokens to cache positions, and a mask of its used entries."""
        column = np.arange(self.slots.shape[1])
        return column, column < self.lengths[:, None]

    def _choose(self, x: Array, packed: Packed, choose: Choose, repeats: int) -> list[np.ndarray]:
        """Choose next tokens from the logits of a few rows at a time, which saves memory, and join the choices."""
        size = self.chunk * self.num_beams // repeats
        parts = []
        for i in range(0, len(x), size):
            logits = self.model.logits(x[i : i + size], packed)  # (rows, vocab)
            logits = logits.float() if is_tensor(logits) and logits.device.type != "cpu" else to_numpy(logits)
            if repeats > 1:
                logits = logits[np.repeat(np.arange(len(logits)), repeats)]
            parts.append(choose(logits, i * repeats))
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def select(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Keep only the decoded sequences of the given sources, in the order of the given row indices."""
        self.lengths, self.slots = self.lengths[rows], self.slots[rows]
        if self.cross is not None and len(sources) < len(self.cross.key_lengths):
            lengths, slots = self.cross.key_lengths, self.cross.key_slots
            if slots is None:
                slots = np.arange(sum(lengths), dtype=np.int32)
            parts, left = np.split(slots, np.cumsum(lengths)[:-1]), tuple(lengths[i] for i in sources)
            key_slots = np.concatenate([parts[i] for i in sources])
            self.cross = Layout((self.num_beams,) * len(left), left, key_slots=key_slots)
        if self.num_cached > 2 * int(self.lengths.sum()):  # most of the cache belongs to rows that were dropped
            _, used = self._used_slots()
            live, self.slots[used] = np.unique(self.slots[used], return_inverse=True)
            for kv_cache in self.kv_caches:
                kv_cache.select(live)
            self.num_cached = len(live)
