"""Sequences end to end, and the way there from a padded batch and back.

`Packed` is what the layers see: no padding, hence no mask. One sentence is a batch of one. Tokens of sequence
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

# argument → why an id of it can be wrong
HINTS = {
    "input_ids": Message("its vocabulary is that of another tokenizer.", "es el vocabulario de otro tokenizador."),
    "token_type_ids": Message("the model knows no other segments.", "el modelo no conoce otros segmentos."),
    "position_ids": Message("the model knows no other positions.", "el modelo no conoce otras posiciones."),
}


@dataclass(frozen=True)
class Layout:
    """Where sequences begin and end among packed queries and packed keys.

    The two differ in cross-attention and with a cache; in self-attention `keys` is `queries`, but for tokens that
    look and are not looked at: then `rows` (u,) says which packed tokens are keys.

    With `places` (u,), the keys are not all that there are, one sequence after another, but those rows: of a cache,
    say, in which sequences share what they began with.
    """

    queries: tuple[int, ...]
    keys: tuple[int, ...]
    rows: Tensor | None = None
    places: Tensor | None = None

    @cached_property
    def runs(self) -> list[tuple[int, int, int]]:
        """Neighbours of equal lengths: how many, their query length, their key length.

        Attention takes one call a run, so sorted sequences cost few calls; any order is right.
        """
        pairs = zip(self.queries, self.keys, strict=True)
        return [(len(list(group)), q, k) for (q, k), group in groupby(pairs)]

    @cached_property
    def starts(self) -> tuple[Tensor, Tensor]:
        """Where each sequence begins among the queries, and among the keys, and where the last one ends. (n + 1,)"""
        counts = (torch.tensor([0, *lengths]) for lengths in (self.queries, self.keys))
        queries, keys = (each.cumsum(0, dtype=torch.int32) for each in counts)
        return queries, keys


@dataclass(frozen=True)
class Packed:
    """A batch without padding: `ids` (t,), `positions` (t,), `segments` (t,) or None, `lengths` of the sequences.

    `embeds` (t, hidden), where given, takes the place of the token embeddings. `looked_at` (t,), where given, is
    false for a token that others must not see.
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
    compiled for a shape then meet few shapes. They come last, and what is said of them is to be dropped.
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
    """What `from_padded` took away, so that it can be put back."""

    keep: Tensor  # (b, s), true where there is a token, as the mask says
    order: Tensor  # (n,), row of the padded batch that each packed sequence was
    rows: Tensor  # (t,), place of each packed token in the flattened padded batch

    def restore(self, x: Tensor) -> Tensor:
        """Packed tokens `(t, …)` → padded `(b, s, …)`, zeros where there was padding."""
        b, s = self.keep.shape
        out = x.new_zeros((b * s, *x.shape[1:])).index_copy(0, self.rows, x).view(b, s, *x.shape[1:])
        if len(self.rows) > int(self.keep.sum()):  # a first token that only looks was packed too
            out = out.masked_fill(~self.keep.view(b, s, *(1,) * (x.dim() - 1)), 0)
        return out

    def restore_rows(self, x: Tensor) -> Tensor:
        """One row a sequence, as packed → the order of the padded batch; zeros for a row without tokens."""
        return x.new_zeros((len(self.keep), *x.shape[1:])).index_copy(0, self.order, x)

    def restore_square(self, blocks: Sequence[Tensor], heads: int, read: Padding | None = None) -> Tensor:
        """A matrix (h, q, k) a sequence → (b, h, s, s), zeros where there was padding.

        With `read`, what is looked at is another batch's rows, and padded as that was.
        """
        looked_at = (self if read is None else read).keep
        (b, s), u = self.keep.shape, looked_at.shape[1]
        out = torch.zeros(b, heads, s, u, dtype=blocks[0].dtype if blocks else None, device=self.keep.device)
        for row, block in zip(self.order.tolist(), blocks, strict=True):
            queries, keys = self.keep[row].nonzero().flatten(), looked_at[row].nonzero().flatten()
            out[row][:, queries[:, None], keys] = block[:, block.shape[1] - len(queries) :]  # less one that only looks
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
    """Take the padding out of a batch as `transformers` gives it.

    Any mask will do (left padding, holes, a row with nothing): positions are read before the padding goes, by the
    family's own rule. Rows are sorted by length, so that attention finds neighbours of equal length.

    With `first`, the first column is packed even where it is masked, as a token that looks and is not looked at: a
    head that reads the first token reads that one in the reference, padding or not.
    """
    input_ids, token_type_ids, position_ids, given = _checked(
        config, input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds
    )
    b, s = given.shape[:2]
    keep = torch.ones(b, s, dtype=torch.bool, device=given.device) if attention_mask is None else attention_mask != 0
    seen = keep
    if first and s:
        keep = keep.clone()
        keep[:, 0] = True
    counts = keep.sum(1)
    order = counts.argsort(descending=True, stable=True)
    order = order[counts[order] > 0]
    flat = torch.arange(b * s, device=given.device).view(b, s)
    rows = flat[order][keep[order]]
    packed = Packed(
        ids=input_ids.reshape(-1)[rows] if input_ids is not None else rows,
        positions=position_ids.reshape(-1)[rows],
        lengths=tuple(counts[order].tolist()),
        segments=None if token_type_ids is None else token_type_ids.reshape(-1)[rows],
        embeds=None if inputs_embeds is None else inputs_embeds.reshape(b * s, -1)[rows],
        looked_at=None if keep is seen or bool((keep == seen).all()) else seen.reshape(-1)[rows],
    )
    return packed, Padding(seen, order, rows)


def _checked(
    config: Config,
    input_ids: Tensor | None,
    attention_mask: Tensor | None,
    token_type_ids: Tensor | None,
    position_ids: Tensor | None,
    inputs_embeds: Tensor | None,
) -> tuple[Tensor | None, Tensor | None, Tensor, Tensor]:
    """Ids, segments and positions (b, s), each as the model can read them; and what was given of ids and vectors."""
    if (input_ids is None) == (inputs_embeds is None):
        raise InputError(
            "pass input_ids or inputs_embeds, one of the two.", "pasa input_ids o inputs_embeds, uno de los dos."
        )
    input_ids = whole_tensor("input_ids", input_ids)
    token_type_ids = whole_tensor("token_type_ids", token_type_ids)
    position_ids = whole_tensor("position_ids", position_ids)
    _tensor("attention_mask", attention_mask)
    _tensor("inputs_embeds", inputs_embeds)
    given = _given(config, input_ids, inputs_embeds)
    b, s = given.shape[:2]
    for name, tensor in (("attention_mask", attention_mask), ("token_type_ids", token_type_ids)):
        if tensor is not None and tensor.shape != (b, s):
            raise _other_shape(name, tensor, b, s)
    if attention_mask is not None and not bool((attention_mask >= 0).all()):
        raise InputError(
            "attention_mask has negative values or NaN; use 1 for tokens, 0 for padding.",
            "attention_mask tiene valores negativos o NaN; usa 1 para los tokens y 0 para el relleno.",
        )
    places = config.max_position_embeddings
    if position_ids is None:
        position_ids = _positions(config, input_ids, b, s, given.device)
        if position_ids.numel() and int(position_ids.max()) >= places:
            raise InputError(
                f"a row of {s} tokens is longer than the {config.max_tokens} that this model takes; pass "
                "truncation=True to the tokenizer, or split the text.",
                f"una fila de {s} tokens es más larga que los {config.max_tokens} que admite este modelo; pasa "
                "truncation=True al tokenizador, o divide el texto.",
            )
    if position_ids.shape not in ((b, s), (1, s)):
        raise _other_shape("position_ids", position_ids, b, s)
    for name, ids, count in (
        ("input_ids", input_ids, config.vocab_size),
        ("token_type_ids", token_type_ids, max(config.type_vocab_size, 1)),
        ("position_ids", position_ids, places),
    ):
        if ids is not None and ids.numel() and not 0 <= (wrong := odd_one(ids)) < count:
            hint = HINTS[name]
            raise InputError(
                f"{name} holds {wrong}, but may hold 0 … {count - 1} only; {hint.en}",
                f"{name} contiene {wrong}, pero solo puede contener 0 … {count - 1}; {hint.es}",
            )
    return input_ids, token_type_ids, position_ids.expand(b, s), given


def _given(config: Config, input_ids: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
    """The one of the two that is there, if it is of a shape that a batch has."""
    given = input_ids if input_ids is not None else inputs_embeds
    assert given is not None
    if given.dim() != (2 if input_ids is not None else 3):
        name, form = ("input_ids", "(batch, length)") if input_ids is not None else ("inputs_embeds", "(b, s, hidden)")
        raise InputError(
            f"{name} must be of shape {form}, not {tuple(given.shape)}; one text is a batch of one.",
            f"{name} debe ser de forma {form}, no {tuple(given.shape)}; un solo texto es un lote de uno.",
        )
    wide = config.hidden_size
    if inputs_embeds is not None and (inputs_embeds.shape[2] != wide or not inputs_embeds.is_floating_point()):
        raise InputError(
            f"inputs_embeds must be floating point of width {wide}, got {inputs_embeds.dtype} of width "
            f"{inputs_embeds.shape[2]}.",
            f"inputs_embeds debe ser de coma flotante y de ancho {wide}, y es {inputs_embeds.dtype} de ancho "
            f"{inputs_embeds.shape[2]}.",
        )
    return given


def _other_shape(name: str, tensor: Tensor, b: int, s: int) -> InputError:
    return InputError(
        f"{name} is of shape {tuple(tensor.shape)}, but the batch is of shape {(b, s)}.",
        f"{name} es de forma {tuple(tensor.shape)}, pero el lote es de forma {(b, s)}.",
    )


def _tensor(name: str, value: object) -> None:
    if value is not None and (not isinstance(value, Tensor) or value.layout != torch.strided or value.is_meta):
        kind = Message.same(type(value).__name__)
        if isinstance(value, Tensor):
            kind = Message(f"{value.layout} tensor on {value.device}", f"tensor {value.layout} en {value.device}")
        raise InputError(
            f"{name} must be an ordinary torch tensor, not a {kind.en}; with the tokenizer's return_tensors='pt', a "
            "batch is passed with two stars: model(**batch).",
            f"{name} debe ser un tensor de torch corriente, no un {kind.es}; con return_tensors='pt' en el "
            "tokenizador, un lote se pasa con dos asteriscos: model(**batch).",
        )
    if isinstance(value, Tensor) and value.is_complex():
        raise InputError(
            f"{name} must be real numbers, not {value.dtype}.",
            f"{name} debe contener números reales, no {value.dtype}.",
        )


def whole_tensor(name: str, ids: Tensor | None) -> Tensor | None:
    """Ids as int64, which int32 may stay."""
    _tensor(name, ids)
    if ids is None or ids.dtype in (torch.int64, torch.int32):
        return ids
    if ids.dtype not in (torch.int16, torch.int8, torch.uint8):
        raise InputError(
            f"{name} must be whole numbers, not {ids.dtype}.", f"{name} debe contener números enteros, no {ids.dtype}."
        )
    return ids.long()


def odd_one(ids: Tensor) -> int:
    """An id that is negative, else the largest."""
    low, high = (int(x) for x in ids.aminmax())
    return low if low < 0 else high


def _positions(config: Config, ids: Tensor | None, b: int, s: int, device: torch.device) -> Tensor:
    if config.position_rule == "column" or ids is None:
        return torch.arange(config.position_offset, config.position_offset + s, device=device).expand(b, s)
    pad = config.pad_token_id or 0
    real = ids != pad  # the ids, not the mask, decide, as in the reference
    # https://github.com/huggingface/transformers/blob/main/src/transformers/models/roberta/modeling_roberta.py
    return real.cumsum(1) * real + pad
