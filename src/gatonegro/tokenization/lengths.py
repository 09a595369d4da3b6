"""How long a row is to be: what to cut and pad to, and what is said of texts that were cut."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from gatonegro.errors import InputError
from gatonegro.i18n import localized, number
from gatonegro.tokenization.batch import as_columns
from gatonegro.tokenization.inputs import choice, whole

if TYPE_CHECKING:
    from gatonegro.tokenization.tokenizer import Tokenizer

NO_LIMIT = int(1e30)  # what transformers writes where no maximum length is known
MOST_PADDED = 10_000_000  # tokens of a row: more is a mistake, and the Rust side ends the process over it


class TruncationWarning(UserWarning):
    """A text was cut shorter than was asked for, or is too long for the model and was left whole."""


def limit_of(
    tokenizer: Tokenizer, cut: str | None, pad: str | None, max_length: int | None, multiple: int | None
) -> int | None:
    """The length to cut or pad to: what was asked, but never past the model's positions; None for none."""
    limit = tokenizer.model_max_length
    if max_length is not None:
        limit = whole("max_length", max_length, 1)
        limit = min(limit, tokenizer.position_limit or limit) if cut else limit
        if pad == "longest" and not cut:
            _warn(
                localized(
                    "max_length does nothing with padding=True and no truncation: pass truncation=True to cut",
                    "max_length no hace nada con padding=True y sin truncation: pasa truncation=True para cortar",
                )
            )
    if limit >= NO_LIMIT:
        if pad == "max_length":
            raise InputError(
                'padding="max_length" needs max_length=: this tokenizer knows no maximum',
                'padding="max_length" necesita max_length=: este tokenizador no conoce ningún máximo',
            )
        if cut:
            _warn(
                localized(
                    "truncation=True cuts nothing: this tokenizer knows no maximum of its own; pass max_length=",
                    "truncation=True no corta nada: este tokenizador no conoce ningún máximo; pasa max_length=",
                )
            )
        return None
    if cut and pad and multiple and limit % multiple:
        raise InputError(
            f"max_length={limit} is not a multiple of pad_to_multiple_of={multiple}",
            f"max_length={limit} no es múltiplo de pad_to_multiple_of={multiple}",
        )
    return limit


def padded(tokenizer: Tokenizer, length: int, multiple: int | None) -> int:
    """`length` on to a multiple; an InputError where nothing can be padded, or not to such a length."""
    if tokenizer.pad_token is None:
        raise InputError(
            "this tokenizer has no padding token: tokenizer.pad_token = tokenizer.eos_token, "
            "or tokenizer.add_special_tokens({'pad_token': '[PAD]'})",
            "este tokenizador no tiene token de relleno: tokenizer.pad_token = tokenizer.eos_token, "
            "o tokenizer.add_special_tokens({'pad_token': '[PAD]'})",
        )
    multiple = 1 if multiple is None else whole("pad_to_multiple_of", multiple, 1)
    length = -(-length // multiple) * multiple
    if length > MOST_PADDED:
        raise InputError(
            f"padding to {number(length)} tokens, more than {number(MOST_PADDED)}: look at max_length= and "
            "pad_to_multiple_of=",
            f"relleno hasta {number(length)} tokens, más de {number(MOST_PADDED)}: comprueba max_length= y "
            "pad_to_multiple_of=",
        )
    return length


def pad_rows(
    tokenizer: Tokenizer, backend: Any, rows: list[Any], length: int | None, multiple: int | None, side: str | None
) -> None:
    """Pad rows that `backend` made to `length`, else to the longest, and on to a multiple."""
    length = padded(tokenizer, length or max(map(len, rows), default=0), multiple)
    side = choice("padding_side", side or tokenizer.padding_side, ("right", "left"))
    pad_id = backend.token_to_id(tokenizer.pad_token)
    for row in rows:
        row.pad(length, direction=side, pad_id=pad_id, pad_token=tokenizer.pad_token)


def pad_columns(
    tokenizer: Tokenizer, columns: dict[str, Any], length: int | None, multiple: int | None, side: str | None
) -> None:
    """The same for rows of numbers, by name; what is no input of a model stays as it is."""
    longest = padded(tokenizer, length or max(map(len, columns["input_ids"]), default=0), multiple)
    left = choice("padding_side", side or tokenizer.padding_side, ("right", "left")) == "left"
    fills = {"input_ids": tokenizer.pad_token_id, "attention_mask": 0, "token_type_ids": 0, "special_tokens_mask": 1}
    for name in fills.keys() & columns.keys():
        more = [[fills[name]] * (longest - len(row)) for row in columns[name]]
        columns[name] = [b + row if left else row + b for row, b in zip(columns[name], more, strict=True)]


def pad_batch(
    tokenizer: Tokenizer,
    given: Any,
    padding: bool | str | None,
    max_length: int | None,
    multiple: int | None,
    side: str | None,
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
        length = limit_of(tokenizer, None, pad, max_length, multiple) if pad == "max_length" else None
        pad_columns(tokenizer, columns, length, multiple, side)
    return {name: values[0] for name, values in columns.items()} if single else columns, kind


def say_what_was_cut(tokenizer: Tokenizer, rows: list[Any], asked: int | None, limit: int | None) -> None:
    """Warn where a text was cut shorter than was asked for, and once where one is too long for the model."""
    if limit is not None and asked is not None and asked > limit:
        count = sum(len(row) >= limit and bool(row.overflowing) for row in rows)
        if count:
            _warn(
                localized(
                    f"{count} of {len(rows)} texts were cut to {limit} tokens, not to max_length={asked}: the "
                    f"model has {limit} positions. What comes after is not read; split the text, or take "
                    "windows (return_overflowing_tokens=True, stride=)",
                    f"textos cortados a {limit} tokens, no a max_length={asked}: {count} de {len(rows)}; el modelo "
                    f"tiene {limit} posiciones. Lo que viene después no se lee; divide el texto, o usa ventanas "
                    "(return_overflowing_tokens=True, stride=)",
                )
            )
    elif limit is None and asked is None and not tokenizer.said_too_long:
        longest = max(map(len, rows), default=0)
        if longest > tokenizer.model_max_length:
            tokenizer.said_too_long = True
            _warn(
                localized(
                    f"a text has {longest} tokens and the model takes {tokenizer.model_max_length}: it was left "
                    "whole; pass truncation=True to cut it (said once for this tokenizer)",
                    f"un texto tiene {longest} tokens y el modelo admite {tokenizer.model_max_length}: se ha dejado "
                    "entero; pasa truncation=True para cortarlo (se avisa una vez por tokenizador)",
                )
            )


def _warn(message: str) -> None:
    warnings.warn(message, TruncationWarning, stacklevel=4)
