"""How long a row is to be: what to cut and pad to, and what is said of texts that were cut."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from gatonegro.errors import GatonegroWarning, InputError
from gatonegro.i18n import number
from gatonegro.tokenization.batch import as_columns
from gatonegro.tokenization.inputs import choice, whole

NO_LIMIT = int(1e30)  # what transformers writes where no maximum length is known
MOST_PADDED = 10_000_000  # tokens of a row: more is a mistake, and the Rust side ends the process over it


class TruncationWarning(GatonegroWarning):
    """A text was cut shorter than was asked for, or is too long for the model and was left whole."""


@dataclass(frozen=True)
class PadPolicy:
    """What rows are padded with, and on which side."""

    token: str | None
    id: int | None
    side: str


@dataclass(frozen=True)
class Limits:
    """How long a row may be: by default, and by the model's positions, which no call goes past."""

    model_max_length: int
    position_limit: int | None


def limit_of(
    limits: Limits, cut: str | None, pad: str | None, max_length: int | None, multiple: int | None
) -> int | None:
    """The length to cut or pad to: what was asked, but never past the model's positions; None for none."""
    limit = limits.model_max_length
    if max_length is not None:
        limit = whole("max_length", max_length, 1)
        limit = min(limit, limits.position_limit or limit) if cut else limit
        if pad == "longest" and not cut:
            _warn(
                "max_length does nothing with padding=True and no truncation: pass truncation=True to cut",
                "max_length no hace nada con padding=True y sin truncation: pasa truncation=True para cortar",
            )
    if limit >= NO_LIMIT:
        if pad == "max_length":
            raise InputError(
                'padding="max_length" needs max_length=: this tokenizer knows no maximum',
                'padding="max_length" necesita max_length=: este tokenizador no conoce ningún máximo',
            )
        if cut:
            _warn(
                "truncation=True cuts nothing: this tokenizer knows no maximum of its own; pass max_length=",
                "truncation=True no corta nada: este tokenizador no conoce ningún máximo; pasa max_length=",
            )
        return None
    if cut and pad and multiple and limit % multiple:
        raise InputError(
            f"max_length={limit} is not a multiple of pad_to_multiple_of={multiple}",
            f"max_length={limit} no es múltiplo de pad_to_multiple_of={multiple}",
        )
    return limit


def check_room(limit: int, special: int, stride: int) -> None:
    """Refuse a length that special tokens fill, or windows that would not get on."""
    if limit < special or stride >= max(1, limit - special):
        raise InputError(
            f"max_length={limit} with stride={stride} leaves no room: special tokens take {special}, and stride must "
            "be smaller than what remains",
            f"max_length={limit} con stride={stride} no deja sitio: los tokens especiales ocupan {special}, y stride "
            "debe ser menor que lo que queda",
        )


def padded(policy: PadPolicy, length: int, multiple: int | None) -> int:
    """`length` on to a multiple; an InputError where nothing can be padded, or not to such a length."""
    if policy.token is None:
        raise InputError(
            "this tokenizer has no padding token: tokenizer.pad_token = tokenizer.eos_token, "
            "or tokenizer.add_special_tokens({'pad_token': '[PAD]'})",
            "este tokenizador no tiene token de relleno: tokenizer.pad_token = tokenizer.eos_token, "
            "o tokenizer.add_special_tokens({'pad_token': '[PAD]'})",
        )
    multiple = 1 if multiple is None else whole("pad_to_multiple_of", multiple, 1)
    length = -(-length // multiple) * multiple
    if length > MOST_PADDED:
        many, most = number(length), number(MOST_PADDED)
        raise InputError(
            f"padding to {many.en} tokens, more than {most.en}: look at max_length= and pad_to_multiple_of=",
            f"relleno hasta {many.es} tokens, más de {most.es}: comprueba max_length= y pad_to_multiple_of=",
        )
    return length


def pad_rows(policy: PadPolicy, rows: list[Any], length: int | None, multiple: int | None) -> None:
    """Pad rows of the Rust side to `length`, else to the longest, and on to a multiple."""
    length = padded(policy, length or max(map(len, rows), default=0), multiple)
    for row in rows:
        row.pad(length, direction=policy.side, pad_id=policy.id, pad_token=policy.token)


def pad_columns(policy: PadPolicy, columns: dict[str, Any], length: int | None, multiple: int | None) -> None:
    """The same for rows of numbers, by name; what is no input of a model stays as it is."""
    longest = padded(policy, length or max(map(len, columns["input_ids"]), default=0), multiple)
    fills = {"input_ids": policy.id, "attention_mask": 0, "token_type_ids": 0, "special_tokens_mask": 1}
    for name in fills.keys() & columns.keys():
        more = [[fills[name]] * (longest - len(row)) for row in columns[name]]
        pairs = zip(columns[name], more, strict=True)
        columns[name] = [fill + row if policy.side == "left" else row + fill for row, fill in pairs]


def pad_batch(
    policy: PadPolicy,
    limits: Limits,
    given: Any,
    padding: bool | str | None,
    max_length: int | None,
    multiple: int | None,
    mask: bool,
) -> tuple[dict[str, Any], str | None]:
    """What calls gave, padded, with an attention mask if that is wanted; and which kind of tensors it held."""
    columns, kind = as_columns(given)
    pad = choice("padding", padding, ("longest", "max_length"))
    ids = columns["input_ids"]
    single = bool(ids) and not isinstance(ids[0], list)
    if single:
        columns = {name: [values] for name, values in columns.items()}
    if mask and "attention_mask" not in columns:
        columns["attention_mask"] = [[1] * len(row) for row in columns["input_ids"]]
    if pad:
        length = limit_of(limits, None, pad, max_length, multiple) if pad == "max_length" else None
        pad_columns(policy, columns, length, multiple)
    return {name: values[0] for name, values in columns.items()} if single else columns, kind


def warn_of_cuts(rows: list[Any], asked: int | None, limit: int | None, model_max_length: int, said: bool) -> bool:
    """Warn where a text was cut shorter than was asked for, and once where one is too long for the model.

    `said`: whether the second has been said; returns the same of now.
    """
    if limit is not None and asked is not None and asked > limit:
        count = sum(len(row) >= limit and bool(row.overflowing) for row in rows)
        if count:
            _warn(
                f"{count} of {len(rows)} texts were cut to {limit} tokens, not to max_length={asked}: the model has "
                f"{limit} positions. What comes after is not read; split the text, or take windows "
                "(return_overflowing_tokens=True, stride=)",
                f"textos cortados a {limit} tokens, no a max_length={asked}: {count} de {len(rows)}; el modelo tiene "
                f"{limit} posiciones. Lo que viene después no se lee; divide el texto, o usa ventanas "
                "(return_overflowing_tokens=True, stride=)",
            )
    elif limit is None and asked is None and not said:
        longest = max(map(len, rows), default=0)
        if longest > model_max_length:
            _warn(
                f"a text has {longest} tokens and the model takes {model_max_length}: it was left whole; pass "
                "truncation=True to cut it (said once for this tokenizer)",
                f"un texto tiene {longest} tokens y el modelo admite {model_max_length}: se ha dejado entero; pasa "
                "truncation=True para cortarlo (se avisa una vez por tokenizador)",
            )
            return True
    return said


def _warn(en: str, es: str) -> None:
    warnings.warn(TruncationWarning(en, es), stacklevel=4)
