"""`DynamicCache`: a decoder's keys and values between calls of `forward`, in padded batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatonegro.config import Config
from gatonegro.errors import InputError
from gatonegro.i18n import catalog
from gatonegro.nn.attention import KV, KVCache
from gatonegro.nn.decoder import Decoder
from gatonegro.packing import Layout, Packed, Padding, from_padded

MESSAGES = catalog(Path(__file__).with_name("messages.json"))


class DynamicCache:
    """The keys and values of a decoder's tokens so far, which `forward` takes and returns as `past_key_values`.

    A call of `forward` appends to the cache that it is given. A cache that was not asked for costs nothing: it is
    filled when it is first used, by running the same tokens once more.

    Args:
        run: a call of `forward` that fills the cache, when it is used.
        width: the number of columns of that call.
    """

    def __init__(self, run: Callable[..., Any] | None = None, width: int = 0):
        self.run, self.width = run, width
        self.layers: list[KVCache] = []
        self.slots = torch.zeros(0, 0, dtype=torch.long)  # (b, columns), places in the caches; -1 for padding
        self.source: tuple[Packed, Padding] | None = None  # an encoder's input
        self.memory: Tensor | None = None  # (u, hidden), its output
        self._projected: list[KV] = []  # per decoder layer

    @staticmethod
    def of(past: DynamicCache | None, use_cache: bool | None, layers: int) -> DynamicCache | None:
        """Return the cache for a call of `forward`: the given one, an empty one if it is wanted now, or None."""
        if not isinstance(past, DynamicCache | None):
            raise InputError(*MESSAGES["not_cache"].format(kind=type(past).__name__))
        cache = DynamicCache() if past is None and use_cache else past
        if cache is not None and not cache.fill().layers:
            cache.layers = [KVCache() for _ in range(layers)]
        return cache

    def fill(self) -> DynamicCache:
        """Compute what the cache holds if that is still to be done, and return the cache."""
        run, self.run = self.run, None
        if run is not None:
            self.width = 0
            with torch.no_grad():
                run(past_key_values=self)
        return self

    def append(self, packed: Packed, padding: Padding, mask: Tensor) -> tuple[Layout, Padding]:
        """Give new tokens places, and return the layout of their attention to all tokens, and the keys' padding.

        Args:
            packed: the new tokens.
            padding: their places in the padded batch of new columns.
            mask: (b, columns), true for tokens, old and new.
        """
        new = torch.full_like(padding.mask, -1, dtype=torch.long)  # (b, new columns)
        first = self.layers[0].count
        new.view(-1)[padding.flat_indices] = torch.arange(first, first + len(packed.ids), device=new.device)
        slots = torch.cat([self.slots, new], 1) if self.width else new
        if bool((mask & (slots < 0)).any()):
            raise InputError(*MESSAGES["uncached"])
        self.slots, self.width = slots, slots.shape[1]
        visible = mask[padding.order]
        key_slots = slots[padding.order][visible]
        layout = Layout(packed.lengths, tuple(visible.sum(1).tolist()), key_slots=key_slots)
        return layout, replace(padding, mask=mask)

    def projected(self, decoder: Decoder, memory: Tensor, packed: Packed, padding: Padding) -> list[KV]:
        """Return the keys and values of an encoder's output (u, hidden) for each decoder layer, computed once."""
        if self.source is None:
            self.source, self.memory, self._projected = (packed, padding), memory, decoder.project_memory(memory)
        return self._projected

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the number of columns that the cache holds, padding included."""
        return self.width

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Keep the rows of the given indices, in that order; an index may come several times."""
        self.fill()
        self.slots = self.slots[beam_idx]
        if self.source is not None and self.memory is not None:
            padding = self.source[1]
            places = torch.full_like(padding.mask, -1, dtype=torch.long)
            places.view(-1)[padding.flat_indices] = torch.arange(len(self.memory), device=places.device)
            mask = padding.mask[beam_idx]
            rows, counts = places[beam_idx][mask], mask.sum(1)
            self.memory, self._projected = self.memory[rows], [(k[rows], v[rows]) for k, v in self._projected]
            flat, order = mask.flatten().nonzero().flatten(), counts.nonzero().flatten()
            self.source = Packed(flat, flat, tuple(counts[order].tolist())), Padding(mask, order, flat)

    def __len__(self) -> int:
        return len(self.fill().layers)

    def __bool__(self) -> bool:
        return True

    def __getstate__(self) -> dict[str, Any]:
        return vars(self.fill())


def from_new_columns(
    config: Config,
    width: int,
    ids: Tensor | None,
    mask: Tensor | None,
    token_types: Tensor | None,
    positions: Tensor | None,
    embeds: Tensor | None,
) -> tuple[Packed, Padding, Tensor]:
    """Pack the columns of a padded batch that follow `width` cached ones, and return also the mask of all columns.

    The mask is of all columns, the others of the new ones; see `from_padded`.
    """
    given = embeds if ids is None else ids
    if not width or not isinstance(given, Tensor) or given.dim() < 2:
        packed, padding = from_padded(config, ids, mask, token_types, positions, embeds)
        return packed, padding, padding.mask
    (b, n), device = given.shape[:2], given.device
    if mask is None:
        mask = torch.ones(b, width + n, device=device)
    if not isinstance(mask, Tensor) or mask.shape != (b, width + n):
        shape = tuple(mask.shape) if isinstance(mask, Tensor) else type(mask).__name__
        raise InputError(*MESSAGES["cached_mask"].format(shape=shape, wanted=(b, width + n), width=width))
    if positions is None:
        first = width + config.position_offset
        positions = torch.arange(first, first + n, device=device)[None]
    packed, padding = from_padded(config, ids, mask[:, width:], token_types, positions, embeds)
    return packed, padding, mask != 0


def cross_attention_inputs(
    memory: Tensor, packed: Packed, source_padding: Padding, target: Packed, padding: Padding
) -> tuple[Tensor, Layout]:
    """Return the encoder's hidden states in the order of the target sequences, and the `Layout` of cross-attention."""
    index_of = {row: i for i, row in enumerate(source_padding.order.tolist())}
    parts = memory.split(packed.lengths)
    rows = padding.order.tolist()
    if empty := [row for row in rows if row not in index_of]:
        raise InputError(*MESSAGES["masked_row"].format(row=empty[0]))
    ordered = [parts[index_of[row]] for row in rows]
    return torch.cat(ordered) if ordered else memory, Layout(target.lengths, tuple(map(len, ordered)))
