"""The length that rows are cut or padded to, the padding itself, and the warnings about texts that were cut."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from gatonegro.errors import GatonegroWarning, InputError
from gatonegro.i18n import Message, format_int
from gatonegro.tokenization.batch import as_columns
from gatonegro.tokenization.inputs import MESSAGES, choice, whole

NO_LIMIT = int(1e30)  # tokens; transformers writes this where no maximum length is known
MOST_PADDED = 10_000_000  # tokens per row; with more, the Rust side can end the process


class TruncationWarning(GatonegroWarning):
    """A text was cut shorter than `max_length`, or is too long for the model and was left whole."""


@dataclass(frozen=True)
class PadPolicy:
    """The token that rows are padded with, its id, and the side on which it stands."""

    token: str | None
    id: int | None
    side: str


def limit_of(
    default: int, positions: int | None, cut: str | None, pad: str | None, max_length: int | None, multiple: int | None
) -> int | None:
    """Return the length to cut or pad to, `max_length` or else `default`; None for no limit.

    What is cut is never longer than the model's `positions`.
    """
    limit = default
    if max_length is not None:
        limit = whole("max_length", max_length, 1)
        limit = min(limit, positions or limit) if cut else limit
        if pad == "longest" and not cut:
            _warn(MESSAGES["idle_max_length"])
    if limit >= NO_LIMIT:
        if pad == "max_length":
            raise InputError(*MESSAGES["max_length_needed"])
        if cut:
            _warn(MESSAGES["no_maximum"])
        return None
    if cut and pad and multiple and limit % multiple:
        raise InputError(*MESSAGES["no_multiple"].format(limit=limit, multiple=multiple))
    return limit


def check_room(limit: int, special: int, stride: int) -> None:
    """Raise InputError where special tokens fill a row, or where windows would not advance."""
    if limit < special or stride >= max(1, limit - special):
        raise InputError(*MESSAGES["no_room"].format(limit=limit, stride=stride, special=special))


def padded(policy: PadPolicy, rows: list[Any], length: int | None, multiple: int | None) -> int:
    """Return the length to pad rows to: `length`, else the longest row's, rounded up to `multiple`.

    Raises:
        InputError: there is no padding token, or the length is far too large.
    """
    if policy.token is None:
        raise InputError(*MESSAGES["no_padding_token"].format())
    length = length or max(map(len, rows), default=0)
    multiple = 1 if multiple is None else whole("pad_to_multiple_of", multiple, 1)
    length = -(-length // multiple) * multiple
    if length > MOST_PADDED:
        many, most = format_int(length), format_int(MOST_PADDED)
        raise InputError(
            f"padding to {many.en} tokens, more than {most.en}: look at max_length= and pad_to_multiple_of=",
            f"relleno hasta {many.es} tokens, más de {most.es}: comprueba max_length= y pad_to_multiple_of=",
        )
    return length


def pad_rows(policy: PadPolicy, rows: list[Any], length: int | None, multiple: int | None) -> None:
    """Pad the Rust side's rows, in place, to the length that `padded` returns."""
    length = padded(policy, rows, length, multiple)
    for row in rows:
        row.pad(length, direction=policy.side, pad_id=policy.id, pad_token=policy.token)


def pad_batch(
    policy: PadPolicy,
    given: Any,
    padding: bool | str | None,
    default: int,
    max_length: int | None,
    multiple: int | None,
    mask: bool,
) -> tuple[dict[str, Any], str | None]:
    """Pad batches that calls returned, with an attention mask if `mask`; columns that are no model inputs stay.

    Returns:
        The columns, and the kind of tensors that the batches held ("pt", "np"), if any.
    """
    columns, kind = as_columns(given)
    pad = choice("padding", padding, ("longest", "max_length"))
    ids = columns["input_ids"]
    single = bool(ids) and not isinstance(ids[0], list)
    if single:
        columns = {name: [values] for name, values in columns.items()}
    if mask and "attention_mask" not in columns:
        columns["attention_mask"] = [[1] * len(row) for row in columns["input_ids"]]
    if pad:
        length = limit_of(default, None, None, pad, max_length, multiple) if pad == "max_length" else None
        longest = padded(policy, columns["input_ids"], length, multiple)
        fills = {"input_ids": policy.id, "attention_mask": 0, "token_type_ids": 0, "special_tokens_mask": 1}
        for name in fills.keys() & columns.keys():
            pairs = [(row, [fills[name]] * (longest - len(row))) for row in columns[name]]
            columns[name] = [fill + row if policy.side == "left" else row + fill for row, fill in pairs]
    return {name: values[0] for name, values in columns.items()} if single else columns, kind


def warn_of_cuts(rows: list[Any], max_length: int | None, limit: int | None, default: int, warned: bool) -> bool:
    """Warn about texts that were cut shorter than `max_length`, and, unless `warned`, about one too long for the model.

    Returns:
        True once the second warning has been shown.
    """
    if limit is not None and max_length is not None and max_length > limit:
        if count := sum(len(row) >= limit and bool(row.overflowing) for row in rows):
            _warn(MESSAGES["cut_short"].format(count=count, texts=len(rows), limit=limit, asked=max_length))
    elif limit is None and max_length is None and not warned:
        longest = max(map(len, rows), default=0)
        if longest > default:
            _warn(MESSAGES["left_whole"].format(longest=longest, limit=default))
            return True
    return warned


def _warn(message: Message) -> None:
    warnings.warn(TruncationWarning(*message), stacklevel=4)
