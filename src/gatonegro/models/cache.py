"""`DynamicCache`: a decoder's keys and values between calls of `forward`, in padded batches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from gatonegro.config import Config
from gatonegro.errors import InputError
from gatonegro.i18n import catalog
from gatonegro.nn.attention import KV, KVCache
from gatonegro.packing import Layout, Packed
from gatonegro.padding import Padding, from_padded

MESSAGES = catalog(Path(__file__).with_name("messages.json"))


class Encoded(NamedTuple):
    """An encoder's output for a padded batch, with what cross-attention needs of it."""

    states: Tensor  # (u, hidden)
    lengths: tuple[int, ...]  # of its sequences
    padding: Padding
    kv: list[KV]  # per decoder layer


class DynamicCache:
    """The keys and values of a decoder's tokens so far, which `forward` takes and returns as `past_key_values`.

    A call of `forward` appends to the cache that it is given.
    """

    def __init__(self) -> None:
        self.layers: list[KVCache] = []
        self.slots = torch.zeros(0, 0, dtype=torch.int32)  # (b, columns), places in the caches; -1 for padding
        self.encoded: Encoded | None = None  # an encoder's output

    def append(self, packed: Packed, padding: Padding, mask: Tensor, layers: int) -> tuple[Layout, Padding]:
        """Give new tokens places, and return the layout of their attention to all tokens, and the keys' padding.

        Args:
            packed: the new tokens.
            padding: their places in the padded batch of new columns.
            mask: (b, columns), true for tokens, old and new.
            layers: the number of the decoder's layers.
        """
        self.layers = self.layers or [KVCache() for _ in range(layers)]
        new = torch.full_like(padding.mask, -1, dtype=torch.int32)  # (b, new columns)
        first = self.layers[0].count
        places = torch.arange(first, first + len(packed.ids), dtype=new.dtype, device=new.device)
        new.view(-1)[padding.flat_indices] = places
        if not self.get_seq_length():
            self.slots = new
            return packed.layout, padding
        self.slots = torch.cat([self.slots, new], 1)
        if bool((mask & (self.slots < 0)).any()):
            raise InputError(*MESSAGES["uncached"])
        visible = mask[padding.order]
        key_slots = self.slots[padding.order][visible]
        layout = Layout(packed.lengths, tuple(visible.sum(1).tolist()), key_slots=key_slots)
        return layout, replace(padding, mask=mask)

    def __len__(self) -> int:
        return len(self.layers)

    def __bool__(self) -> bool:
        return True

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the number of columns that the cache holds, padding included."""
        return self.slots.shape[1]


class EncoderDecoderCache(DynamicCache):
    """The cache of an encoder–decoder, which holds the keys and values of its source too."""


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


def cross_layout(encoded: Encoded, target: Packed, padding: Padding) -> Layout:
    """Return the layout of cross-attention, by which each sequence of the target attends to the source of its row."""
    index_of = {row: i for i, row in enumerate(encoded.padding.order.tolist())}
    rows = padding.order.tolist()
    if empty := [row for row in rows if row not in index_of]:
        raise InputError(*MESSAGES["masked_row"].format(row=empty[0]))
    order = [index_of[row] for row in rows]
    lengths = tuple(encoded.lengths[i] for i in order)
    if order == [*range(len(encoded.lengths))]:
        return Layout(target.lengths, lengths)
    slots = torch.arange(len(encoded.states), dtype=torch.int32, device=encoded.states.device)
    parts = slots.split(encoded.lengths)
    return Layout(target.lengths, lengths, key_slots=torch.cat([parts[i] for i in order]))
