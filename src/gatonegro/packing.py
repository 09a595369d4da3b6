"""Sequences end to end, made of a padded batch and turned back into one.

Layers compute on `Packed`: it has no padding, hence no mask. One sentence is a batch of one. Tokens of sequence
`n` are rows `sum(lengths[:n])` to `sum(lengths[:n + 1])`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from gatonegro.config import Config
from gatonegro.errors import InputError
from gatonegro.i18n import Message

_VOCABULARY = Message(
    "has the id {wrong}, but may have 0 … {last} only; the vocabulary is that of another tokenizer.",
    "contiene {wrong}, pero solo puede contener 0 … {last}; es el vocabulario de otro tokenizador.",
)
HINTS = {  # argument → what is wrong with its ids
    "input_ids": _VOCABULARY,
    "decoder_input_ids": _VOCABULARY,
    "token_type_ids": Message(
        "holds {wrong}, but may hold 0 … {last} only; the model has no other segments.",
        "contiene {wrong}, pero solo puede contener 0 … {last}; el modelo no tiene otros segmentos.",
    ),
    "position_ids": Message(
        "holds {wrong}, but may hold 0 … {last} only; the model has no other positions.",
        "contiene {wrong}, pero solo puede contener 0 … {last}; el modelo no tiene otras posiciones.",
    ),
}


@dataclass(frozen=True)
class Layout:
    """The lengths of each sequence's packed queries and packed keys.

    The two differ in cross-attention and with a cache. In self-attention `keys` is `queries`, unless some tokens are
    queries only: then `rows` (u,) are the packed tokens that are keys.

    With `places` (u,), the keys are those rows of a larger tensor: of a cache, for example, in which sequences share
    their first tokens.
    """

    queries: tuple[int, ...]
    keys: tuple[int, ...]
    rows: Tensor | None = None
    places: Tensor | None = None

    @cached_property
    def runs(self) -> list[tuple[int, int, int]]:
        """Runs of neighbours with equal lengths: their number, query length and key length.

        Attention takes one call per run, so sorted sequences cost few calls; any order is right.
        """
        pairs = zip(self.queries, self.keys, strict=True)
        return [(len(list(group)), q, k) for (q, k), group in groupby(pairs)]

    @cached_property
    def starts(self) -> tuple[Tensor, Tensor]:
        """The first query and the first key of each sequence, and the end of the last one. (n + 1,) each"""
        counts = (torch.tensor([0, *lengths]) for lengths in (self.queries, self.keys))
        queries, keys = (each.cumsum(0, dtype=torch.int32) for each in counts)
        return queries, keys


@dataclass(frozen=True)
class Packed:
    """A batch without padding: `ids` (t,), `positions` (t,), `segments` (t,) or None, `lengths` of the sequences.

    `embeds` (t, hidden), where given, replaces the token embeddings. `looked_at` (t,), where given, is false for
    query-only tokens, which are no keys.
    """

    ids: Tensor
    positions: Tensor
    lengths: tuple[int, ...]
    segments: Tensor | None = None
    embeds: Tensor | None = None
    looked_at: Tensor | None = None

    @cached_property
    def layout(self) -> Layout:
        if self.looked_at is None:
            return Layout(self.lengths, self.lengths)
        keys = tuple(int(part.sum()) for part in self.looked_at.split(self.lengths))
        return Layout(self.lengths, keys, self.looked_at.nonzero().flatten())

    @cached_property
    def firsts(self) -> Tensor:
        """The row of each sequence's first token. (n,)"""
        lengths = torch.tensor(self.lengths, dtype=torch.long, device=self.ids.device)
        return lengths.cumsum(0) - lengths

    def to(self, device: torch.device | str) -> Packed:
        moved: dict[str, Any] = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **{k: v for k, v in moved.items() if k in self.__dataclass_fields__})


def pack(
    sequences: Sequence[Sequence[int]],
    config: Config,
    segments: Sequence[Sequence[int]] | None = None,
    *,
    multiple: int = 1,
) -> Packed:
    """Pack token ids, and segment ids where the model has segments, of whole sequences.

    With `multiple`, sequences of pads follow so that the number of tokens is a multiple of it: kernels that are
    compiled for a shape then meet few shapes. They come last; drop their outputs.
    """
    lengths = [len(s) for s in sequences]
    longest = max(lengths, default=0)
    if longest > config.max_tokens:
        raise InputError(
            f"a sequence of {longest} tokens is longer than the {config.max_tokens} that this model takes; "
            "pass truncation=True, or split the text.",
            f"una secuencia de {longest} tokens es más larga que los {config.max_tokens} que admite este modelo; "
            "pasa truncation=True, o divide el texto.",
        )
    missing = -sum(lengths) % multiple
    while missing:
        lengths.append(min(missing, config.max_tokens))
        missing -= lengths[-1]
    total, start = sum(lengths), config.position_offset
    ids = torch.full((total,), config.pad_token_id or 0)
    real = torch.tensor([i for s in sequences for i in s], dtype=torch.long)
    ids[: len(real)] = real
    kinds = torch.zeros(total, dtype=torch.long) if segments is not None else None
    if kinds is not None and segments is not None:
        kinds[: len(real)] = torch.tensor([i for s in segments for i in s], dtype=torch.long)
    ends = torch.tensor(lengths, dtype=torch.long)
    firsts = (ends.cumsum(0) - ends).repeat_interleave(ends)  # (t,)
    return Packed(ids, torch.arange(total) - firsts + start, tuple(lengths), kinds)


@dataclass(frozen=True)
class Padding:
    """The padding that `from_padded` removed, so that results can be padded again."""

    keep: Tensor  # (b, s), true where the mask shows a token
    order: Tensor  # (n,), row of each packed sequence in the padded batch
    rows: Tensor  # (t,), place of each packed token in the flattened padded batch

    def restore(self, x: Tensor) -> Tensor:
        """Return packed tokens (t, …) as a padded batch (b, s, …), with zeros where there was padding."""
        b, s = self.keep.shape
        out = x.new_zeros((b * s, *x.shape[1:])).index_copy(0, self.rows, x).view(b, s, *x.shape[1:])
        if len(self.rows) > int(self.keep.sum()):  # a query-only first token was packed too
            out = out.masked_fill(~self.keep.view(b, s, *(1,) * (x.dim() - 1)), 0)
        return out

    def restore_rows(self, x: Tensor) -> Tensor:
        """Return one row per sequence in the order of the padded batch, with zeros for a row without tokens."""
        return x.new_zeros((len(self.keep), *x.shape[1:])).index_copy(0, self.order, x)

    def restore_square(self, blocks: Sequence[Tensor], heads: int, read: Padding | None = None) -> Tensor:
        """Return one matrix (h, q, k) per sequence as (b, h, s, s), with zeros where there was padding.

        With `read`, the keys are another batch's, padded as that was.
        """
        keys_kept = (self if read is None else read).keep
        (b, s), u = self.keep.shape, keys_kept.shape[1]
        out = torch.zeros(b, heads, s, u, dtype=blocks[0].dtype if blocks else None, device=self.keep.device)
        for row, block in zip(self.order.tolist(), blocks, strict=True):
            queries, keys = self.keep[row].nonzero().flatten(), keys_kept[row].nonzero().flatten()
            out[row][:, queries[:, None], keys] = block[:, block.shape[1] - len(queries) :]  # less a query-only one
        return out


def from_padded(
    config: Config,
    input_ids: Tensor | None,  # (b, s)
    attention_mask: Tensor | None = None,  # (b, s)
    token_type_ids: Tensor | None = None,  # (b, s)
    position_ids: Tensor | None = None,  # (b, s) or (1, s)
    inputs_embeds: Tensor | None = None,  # (b, s, hidden)
    *,
    first: bool = False,
) -> tuple[Packed, Padding]:
    """Remove the padding of a batch in the form of `transformers`.

    Any mask is right (left padding, holes, an empty row): positions are computed before the padding goes, by the
    family's rule. Rows are sorted by length, so that attention finds neighbours of equal length.

    With `first`, the first column is packed even where it is masked, as a query-only token: a head that reads the
    first token reads that one in the reference, padding or not.
    """
    given = _given(config, input_ids, inputs_embeds)
    b, s = given.shape[:2]
    keep = _keep(attention_mask, given)
    if token_type_ids is not None:
        token_type_ids = ids_of("token_type_ids", token_type_ids, max(config.type_vocab_size, 1), (b, s))
    if position_ids is None:
        position_ids = _positions(config, given)
    position_ids = ids_of("position_ids", position_ids, config.max_position_embeddings, (b, s), (1, s)).expand(b, s)
    mask = keep
    if first and s:
        keep = keep.clone()
        keep[:, 0] = True
    counts = keep.sum(1)
    order = counts.argsort(descending=True, stable=True)
    order = order[counts[order] > 0]
    flat = torch.arange(b * s, device=given.device).view(b, s)
    rows = flat[order][keep[order]]
    packed = Packed(
        ids=given.reshape(-1)[rows] if input_ids is not None else rows,
        positions=position_ids.reshape(-1)[rows],
        lengths=tuple(counts[order].tolist()),
        segments=None if token_type_ids is None else token_type_ids.reshape(-1)[rows],
        embeds=None if input_ids is not None else given.reshape(b * s, -1)[rows],
        looked_at=None if keep is mask or bool((keep == mask).all()) else mask.reshape(-1)[rows],
    )
    return packed, Padding(mask, order, rows)


def rows_of(name: str, ids: Tensor | None, mask: Tensor | None, vocabulary: int) -> list[list[int]]:
    """Return the ids of each row of a padded batch that the mask shows; raise InputError for an empty row."""
    ids = ids_of(name, ids, vocabulary)
    rows = ids.tolist()
    if mask is not None:
        _check_shape("attention_mask", _check_tensor("attention_mask", mask), ids.shape)
        rows = [row[shown > 0].tolist() for row, shown in zip(ids, mask, strict=True)]
    if not all(rows):
        raise InputError(
            f"row {rows.index([])} of {name} has no token.",
            f"la fila {rows.index([])} de {name} no tiene ningún token.",
        )
    return rows


def ids_of(name: str, ids: Tensor | None, count: int, *shapes: tuple[int, ...]) -> Tensor:
    """Return ids as int64 or int32; raise InputError for other shapes, other types, or ids outside 0 … `count` - 1."""
    ids = _check_tensor(name, ids)
    if ids.dtype not in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        raise InputError(
            f"{name} must be whole numbers, not {ids.dtype}.", f"{name} debe contener números enteros, no {ids.dtype}."
        )
    _check_form(name, ids, "(batch, length)", 2)
    _check_shape(name, ids, *shapes or (ids.shape,))
    if ids.numel():
        low, high = (int(x) for x in ids.aminmax())
        if low < 0 or high >= count:
            problem = HINTS[name].format(wrong=low if low < 0 else high, last=count - 1)
            raise InputError(f"{name} {problem.en}", f"{name} {problem.es}")
    return ids if ids.dtype == torch.int32 else ids.long()


def _given(config: Config, input_ids: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
    """Return the one of the two that was passed; raise InputError if it does not fit the model."""
    if (input_ids is None) == (inputs_embeds is None):
        raise InputError(
            "pass input_ids or inputs_embeds, one of the two.", "pasa input_ids o inputs_embeds, uno de los dos."
        )
    if input_ids is not None:
        return ids_of("input_ids", input_ids, config.vocab_size)
    embeds, wide = _check_tensor("inputs_embeds", inputs_embeds), config.hidden_size
    _check_form("inputs_embeds", embeds, "(batch, length, hidden)", 3)
    if embeds.shape[2] != wide or not embeds.is_floating_point():
        raise InputError(
            f"inputs_embeds must be floating point of width {wide}, got {embeds.dtype} of width {embeds.shape[2]}.",
            f"inputs_embeds debe ser de coma flotante y de ancho {wide}, y es {embeds.dtype} de ancho "
            f"{embeds.shape[2]}.",
        )
    return embeds


def _keep(mask: Tensor | None, given: Tensor) -> Tensor:
    """Return the attention mask as booleans (b, s); raise InputError if it does not fit the batch."""
    shape = given.shape[:2]
    if mask is None:
        return torch.ones(shape, dtype=torch.bool, device=given.device)
    _check_shape("attention_mask", _check_tensor("attention_mask", mask), shape)
    if not bool((mask >= 0).all()):
        raise InputError(
            "attention_mask has negative values or NaN; use 1 for tokens, 0 for padding.",
            "attention_mask tiene valores negativos o NaN; usa 1 para los tokens y 0 para el relleno.",
        )
    return mask != 0


def _positions(config: Config, given: Tensor) -> Tensor:
    """Return the positions (b, s) of ids, or of vectors, by the family's rule."""
    b, s = given.shape[:2]
    if config.position_rule == "column" or given.is_floating_point():
        first = config.position_offset
        positions = torch.arange(first, first + s, device=given.device).expand(b, s)
    else:
        pad = config.pad_token_id or 0
        real = given != pad  # the ids, not the mask, decide, as in the reference
        # https://github.com/huggingface/transformers/blob/main/src/transformers/models/roberta/modeling_roberta.py
        positions = real.cumsum(1) * real + pad
    if positions.numel() and int(positions.max()) >= config.max_position_embeddings:
        raise InputError(
            f"a row of {s} tokens is longer than the {config.max_tokens} that this model takes; pass "
            "truncation=True to the tokenizer, or split the text.",
            f"una fila de {s} tokens es más larga que los {config.max_tokens} que admite este modelo; pasa "
            "truncation=True al tokenizador, o divide el texto.",
        )
    return positions


def _check_form(name: str, tensor: Tensor, form: str, dimensions: int) -> None:
    if tensor.dim() != dimensions:
        raise InputError(
            f"{name} must be of shape {form}, not {tuple(tensor.shape)}; one text is a batch of one.",
            f"{name} debe ser de forma {form}, no {tuple(tensor.shape)}; un solo texto es un lote de uno.",
        )


def _check_shape(name: str, tensor: Tensor, *shapes: tuple[int, ...]) -> None:
    """Raise InputError for a tensor of none of these shapes, the first of which is the batch's."""
    if tensor.shape not in shapes:
        raise InputError(
            f"{name} is of shape {tuple(tensor.shape)}, but the batch is of shape {tuple(shapes[0])}.",
            f"{name} es de forma {tuple(tensor.shape)}, pero el lote es de forma {tuple(shapes[0])}.",
        )


def _check_tensor(name: str, value: object) -> Tensor:
    """Return a strided tensor of real numbers; raise InputError for anything else."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_meta:
        kind = Message.same(type(value).__name__)
        if isinstance(value, Tensor):
            kind = Message(f"{value.layout} tensor on {value.device}", f"tensor {value.layout} en {value.device}")
        raise InputError(
            f"{name} must be an ordinary torch tensor, not a {kind.en}; with the tokenizer's return_tensors='pt', a "
            "batch is passed with two stars: model(**batch).",
            f"{name} debe ser un tensor de torch corriente, no un {kind.es}; con return_tensors='pt' en el "
            "tokenizador, un lote se pasa con dos asteriscos: model(**batch).",
        )
    if value.is_complex():
        raise InputError(
            f"{name} must be real numbers, not {value.dtype}.",
            f"{name} debe contener números reales, no {value.dtype}.",
        )
    return value
