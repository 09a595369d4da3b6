"""Padded batches, as `transformers` takes them, and their conversion from and to packed ones, which have no padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatonegro.config import Config
from gatonegro.errors import InputError
from gatonegro.i18n import Message
from gatonegro.packing import MESSAGES, Packed, check_range


@dataclass(frozen=True)
class Padding:
    """The positions of tokens in a padded batch, by which outputs of the packed batch are padded again."""

    mask: Tensor  # (b, s), true for tokens
    order: Tensor  # (n,), row of each packed sequence in the padded batch
    flat_indices: Tensor  # (t,), index of each packed token in the flattened padded batch

    def restore(self, x: Tensor) -> Tensor:
        """Return outputs per packed token (t, …) as a padded batch (b, s, …), with zeros for padding."""
        b, s = self.mask.shape
        out = x.new_zeros((b * s, *x.shape[1:])).index_copy(0, self.flat_indices, x).view(b, s, *x.shape[1:])
        if len(self.flat_indices) > int(self.mask.sum()):  # a query-only first token was packed too
            out = out.masked_fill(~self.mask.view(b, s, *(1,) * (x.dim() - 1)), 0)
        return out

    def restore_sequences(self, x: Tensor) -> Tensor:
        """Return outputs per sequence in the order of the padded batch's rows, with zeros for empty rows."""
        return x.new_zeros((len(self.mask), *x.shape[1:])).index_copy(0, self.order, x)

    def restore_attention(self, blocks: Sequence[Tensor], heads: int, key_padding: Padding | None = None) -> Tensor:
        """Pad one attention matrix (h, q, k) per sequence with zeros, and return the batch (b, h, s, s).

        In cross-attention, `key_padding` is the padding of the keys' batch.
        """
        key_mask = (self if key_padding is None else key_padding).mask
        (b, s), u = self.mask.shape, key_mask.shape[1]
        out = torch.zeros(b, heads, s, u, dtype=blocks[0].dtype if blocks else None, device=self.mask.device)
        for row, block in zip(self.order.tolist(), blocks, strict=True):
            queries, keys = self.mask[row].nonzero().flatten(), key_mask[row].nonzero().flatten()
            out[row][:, queries[:, None], keys] = block[:, block.shape[1] - len(queries) :]  # drops a query-only token
        return out


def from_padded(
    config: Config,
    input_ids: Tensor | None,  # (b, s)
    attention_mask: Tensor | None = None,  # (b, s)
    token_type_ids: Tensor | None = None,  # (b, s)
    position_ids: Tensor | None = None,  # (b, s) or (1, s)
    inputs_embeds: Tensor | None = None,  # (b, s, hidden)
    *,
    keep_first: bool = False,
) -> tuple[Packed, Padding]:
    """Pack a padded batch, as `transformers` takes it, and return it with the data for padding its results again.

    Any mask is allowed (left padding, holes, an empty row): positions follow the family's rule for padded batches.
    Sequences are sorted by length, so that attention runs over equal lengths.

    With `keep_first`, the first column is packed even where it is masked, as a query-only token: a head that reads the
    first token reads that column in the reference, padding or not.
    """
    inputs = _validate_inputs(config, input_ids, inputs_embeds)
    b, s = inputs.shape[:2]
    mask = keep = _validate_mask(attention_mask, inputs)
    if token_type_ids is not None:
        types = config.vocab_size if config.decoder_only else max(config.type_vocab_size, 1)
        token_type_ids = validate_ids("token_type_ids", token_type_ids, types, (b, s))
    if position_ids is None:
        position_ids = _position_ids(config, inputs)
    position_ids = validate_ids("position_ids", position_ids, config.num_positions, (b, s), (1, s))
    if keep_first and s:
        keep = keep.clone()
        keep[:, 0] = True
    counts = keep.sum(1)
    order = counts.argsort(descending=True, stable=True)
    order = order[counts[order] > 0]
    indices = torch.arange(b * s, device=inputs.device).view(b, s)[order][keep[order]]
    packed = Packed(
        ids=inputs.reshape(-1)[indices] if input_ids is not None else indices,
        positions=position_ids.expand(b, s).reshape(-1)[indices],
        lengths=tuple(counts[order].tolist()),
        token_types=None if token_type_ids is None else token_type_ids.reshape(-1)[indices],
        embeds=None if input_ids is not None else inputs.reshape(b * s, -1)[indices],
        is_key=None if keep is mask or bool((keep == mask).all()) else mask.reshape(-1)[indices],
    )
    return packed, Padding(mask, order, indices)


def unpad_ids(name: str, ids: Tensor | None, mask: Tensor | None, vocab_size: int) -> list[list[int]]:
    """Return the token ids of each row of a padded batch without padding; raise InputError for an empty row."""
    ids = validate_ids(name, ids, vocab_size)
    rows = ids.tolist()
    if mask is not None:
        _check_shape("attention_mask", _check_tensor("attention_mask", mask), ids.shape)
        rows = [row[row_mask > 0].tolist() for row, row_mask in zip(ids, mask, strict=True)]
    if not all(rows):
        raise InputError(*MESSAGES["empty_row"].format(row=rows.index([]), name=name))
    return rows


def validate_ids(
    name: str, ids: Tensor | None, count: int, *shapes: tuple[int, ...], ignored: int | None = None
) -> Tensor:
    """Return a tensor of ids as int64 or int32; raise InputError if its shape, dtype or values are not valid.

    The id `ignored`, such as -100 in labels, is valid too.
    """
    ids = _check_tensor(name, ids)
    if ids.dtype not in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        raise InputError(*MESSAGES["not_whole"].format(name=name, dtype=ids.dtype))
    _check_ndim(name, ids, "(batch, length)", 2)
    _check_shape(name, ids, *shapes or (ids.shape,))
    ids = ids if ids.dtype == torch.int32 else ids.long()
    check_range(name, ids if ignored is None else ids[ids != ignored], count)
    return ids


def _validate_inputs(config: Config, input_ids: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
    """Return token ids or input embeddings; raise InputError unless exactly one is given and fits the model."""
    if (input_ids is None) == (inputs_embeds is None):
        raise InputError(*MESSAGES["ids_or_embeds"])
    if input_ids is not None:
        return validate_ids("input_ids", input_ids, config.vocab_size)
    embeds, wide = _check_tensor("inputs_embeds", inputs_embeds), config.hidden_size
    _check_ndim("inputs_embeds", embeds, "(batch, length, hidden)", 3)
    if embeds.shape[2] != wide or not embeds.is_floating_point():
        raise InputError(*MESSAGES["embeds"].format(hidden=wide, dtype=embeds.dtype, width=embeds.shape[2]))
    return embeds


def _validate_mask(mask: Tensor | None, inputs: Tensor) -> Tensor:
    """Return the attention mask as booleans (b, s); raise InputError if it does not fit the batch."""
    shape = inputs.shape[:2]
    if mask is None:
        return torch.ones(shape, dtype=torch.bool, device=inputs.device)
    _check_shape("attention_mask", _check_tensor("attention_mask", mask), shape)
    if not bool((mask >= 0).all()):
        raise InputError(*MESSAGES["negative_mask"])
    return mask != 0


def _position_ids(config: Config, inputs: Tensor) -> Tensor:
    """Return the position ids (b, s) of token ids or input embeddings, by the rule of the model's family."""
    b, s = inputs.shape[:2]
    if config.position_rule == "column" or inputs.is_floating_point():
        first = config.position_offset
        positions = torch.arange(first, first + s, device=inputs.device).expand(b, s)
    else:
        pad = config.pad_token_id or 0
        real = inputs != pad  # the ids, not the mask, decide, as in the reference
        # https://github.com/huggingface/transformers/blob/main/src/transformers/models/roberta/modeling_roberta.py
        positions = real.cumsum(1) * real + pad
    if positions.numel() and int(positions.max()) >= config.num_positions:
        raise InputError(*MESSAGES["long_row"].format(s=s, max_tokens=config.max_tokens))
    return positions


def _check_ndim(name: str, tensor: Tensor, form: str, dimensions: int) -> None:
    """Raise InputError, naming the expected axes, unless a tensor has the given number of dimensions."""
    if tensor.dim() != dimensions:
        raise InputError(*MESSAGES["dimensions"].format(name=name, form=form, shape=tuple(tensor.shape)))


def _check_shape(name: str, tensor: Tensor, *shapes: tuple[int, ...]) -> None:
    """Raise InputError unless a tensor has one of the given shapes, the first of which is the batch's."""
    if tensor.shape not in shapes:
        raise InputError(*MESSAGES["shape"].format(name=name, shape=tuple(tensor.shape), batch=tuple(shapes[0])))


def _check_tensor(name: str, value: object) -> Tensor:
    """Return a value if it is a strided tensor of real numbers; raise InputError for anything else."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_meta:
        kind = Message.same(type(value).__name__)
        if isinstance(value, Tensor):
            kind = MESSAGES["tensor_on"].format(layout=value.layout, device=value.device)
        raise InputError(*MESSAGES["not_tensor"].format(name=name, kind=kind))
    if value.is_complex():
        raise InputError(*MESSAGES["not_real"].format(name=name, dtype=value.dtype))
    return value
