"""Truncation and padding of token sequences: maximum lengths, padded batches, and warnings about truncation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gatonegro.errors import GatonegroWarning, InputError, warn
from gatonegro.i18n import Message, format_int
from gatonegro.tokenization.batch import as_columns
from gatonegro.tokenization.inputs import MESSAGES, as_int, resolve_strategy

NO_LIMIT = int(1e30)  # tokens; as transformers writes for an unknown maximum length
MAX_PADDED_LENGTH = 10_000_000  # tokens per row; with more, the Rust backend can end the process


class TruncationWarning(GatonegroWarning):
    """A warning that a text was truncated below `max_length`, or is too long for the model and was not truncated."""


@dataclass(frozen=True)
class PadPolicy:
    """The padding of a tokenizer call: the padding token, its id, and the side on which sequences are padded."""

    token: str | None
    id: int | None
    side: str


def resolve_max_length(
    default: int, positions: int | None, cut: str | None, pad: str | None, max_length: int | None, multiple: int | None
) -> int | None:
    """Return the length to truncate or pad to, `max_length` or by default the tokenizer's; None for no limit.

    Truncated rows are never longer than the model's number of `positions`.
    """
    limit = default
    if max_length is not None:
        limit = as_int("max_length", max_length, 1)
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


def check_max_length(limit: int, special: int, stride: int) -> None:
    """Raise InputError if the maximum length is too short for the special tokens and the overlap of windows."""
    if limit < special or stride >= max(1, limit - special):
        raise InputError(*MESSAGES["no_room"].format(limit=limit, stride=stride, special=special))


def padded_length(policy: PadPolicy, rows: list[Any], length: int | None, multiple: int | None) -> int:
    """Return the length to pad sequences to: `length` or else that of the longest, rounded up to a multiple.

    Raises:
        InputError: there is no padding token, or the length is far too large.
    """
    if policy.token is None or policy.id is None:
        raise InputError(*MESSAGES["no_padding_token"].format())
    length = length or max(map(len, rows), default=0)
    multiple = 1 if multiple is None else as_int("pad_to_multiple_of", multiple, 1)
    length = -(-length // multiple) * multiple
    if length > MAX_PADDED_LENGTH:
        limit = format_int(MAX_PADDED_LENGTH)
        raise InputError(*MESSAGES["too_much_padding"].format(many=format_int(length), most=limit))
    return length


def pad_rows(policy: PadPolicy, rows: list[Any], length: int | None, multiple: int | None) -> None:
    """Pad the Rust tokenizer's encodings in place, all to the same length."""
    length = padded_length(policy, rows, length, multiple)
    for row in rows:
        row.pad(length, direction=policy.side, pad_id=policy.id, pad_token=policy.token)


def pad_batch(
    policy: PadPolicy,
    batch: Any,
    padding: bool | str | None,
    default: int,
    max_length: int | None,
    multiple: int | None,
    mask: bool,
) -> tuple[dict[str, Any], str | None]:
    """Pad the model inputs of a batch, adding an attention mask if `mask` is set; other columns stay unchanged.

    Returns:
        The columns, and the kind of tensors in the batch ("pt", "np"), or None.
    """
    columns, kind = as_columns(batch)
    pad = resolve_strategy("padding", padding, ("longest", "max_length"))
    ids = columns["input_ids"]
    single = bool(ids) and not isinstance(ids[0], list)
    if single:
        columns = {name: [values] for name, values in columns.items()}
    if mask and "attention_mask" not in columns:
        columns["attention_mask"] = [[1] * len(row) for row in columns["input_ids"]]
    if pad:
        length = resolve_max_length(default, None, None, pad, max_length, multiple) if pad == "max_length" else None
        longest = padded_length(policy, columns["input_ids"], length, multiple)
        fills = {"input_ids": policy.id, "attention_mask": 0, "token_type_ids": 0, "special_tokens_mask": 1}
        for name in fills.keys() & columns.keys():
            pairs = [(row, [fills[name]] * (longest - len(row))) for row in columns[name]]
            columns[name] = [fill + row if policy.side == "left" else row + fill for row, fill in pairs]
    return {name: values[0] for name, values in columns.items()} if single else columns, kind


def warn_of_truncation(rows: list[Any], max_length: int | None, limit: int | None, default: int, warned: bool) -> bool:
    """Warn if texts were truncated below `max_length` or, unless `warned`, if one is too long for the model.

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
    warn(TruncationWarning(*message), stacklevel=4)
