"""Token tasks: windows over long texts that overlap, in which each token is queried once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tokenizers import Encoding

from gatonegro.checks import check_row_text, row_error
from gatonegro.config import Config
from gatonegro.errors import InputError, OptionError, RowError
from gatonegro.i18n import Message
from gatonegro.tasks.task import Encoded
from gatonegro.tokenization import Tokenizer


def check_str(row: Any, options: Mapping[str, Any]) -> None:
    """Raise RowError for a row that is not a text."""
    if isinstance(row, list | tuple | Mapping):
        kind = type(row).__name__
        raise row_error(
            Message(
                f"a {kind} where a text is wanted; pass a str, or a flat list of them.",
                f"{kind} donde hace falta un texto; pasa un str, o una lista sin anidar.",
            )
        )
    check_row_text(row)


def encode_tokens(
    tokenizer: Tokenizer,
    config: Config,
    rows: Sequence[Any],
    options: Mapping[str, Any],
    wanted: Callable[[int, Encoding], Sequence[int]],
) -> Encoded:
    """Return texts, or lists of words, as sequences that fit the model.

    `wanted(row, encoding)` returns the tokens of a whole text that are queried, in ascending order, or raises the row's
    RowError. In a text that is read in windows, each token is queried in the window in which it stands farthest from an
    edge. The notes are the encodings of whole texts.
    """
    limit = min(config.max_tokens, tokenizer.model_max_length)
    if options.get("max_length") is not None:
        limit = min(limit, options["max_length"])
    special = tokenizer.num_special_tokens_to_add()
    room = limit - special
    stride = max(0, room // 4) if options.get("stride") is None else options["stride"]
    if room < 1 or stride >= room:
        raise OptionError(
            f"{limit} tokens at a time, {special} of them special, with stride={stride} leave no room for a new "
            "one; make max_length larger, or stride smaller.",
            f"{limit} tokens de una vez, {special} de ellos especiales, con stride={stride} no dejan sitio para "
            "uno nuevo; aumenta max_length, o reduce stride.",
        )
    batch = tokenizer(
        list(rows),
        truncation=bool(options.get("truncation")),
        max_length=limit,
        is_split_into_words=bool(options.get("is_split_into_words")),
        return_special_tokens_mask=True,
        return_offsets_mapping=True,
    )
    ids: list[list[int]] = []
    token_types: list[list[int]] = []
    queried: list[list[int]] = []
    row_of: list[int] = []
    errors: dict[int, InputError] = {}
    encodings = list(batch.encodings or [])
    for row, whole in enumerate(encodings):
        try:
            about = wanted(row, whole)
        except RowError as error:
            errors[row] = error.with_traceback(None)
            continue
        tokens, types = whole.ids, whole.type_ids  # each is copied when it is asked for
        head, tail = _edges(whole.special_tokens_mask)
        end = len(tokens) - tail
        for a, b, low, high in _windows(end - head, room, stride):
            first = 0 if a == 0 else head + low
            last = len(tokens) if head + b == end else head + high
            for parts, one in ((ids, tokens), (token_types, types)):
                parts.append([*one[:head], *one[head + a : head + b], *one[end:]])
            own = about[bisect_left(about, first) : bisect_left(about, last)]
            queried.append([place - a for place in own])
            row_of.append(row)
    types_or_none = token_types if config.type_vocab_size > 1 else None
    return Encoded(ids, row_of, limit, types_or_none, queried, encodings, errors)


def _edges(special: Sequence[int]) -> tuple[int, int]:
    """Return the numbers of special tokens before the text and behind it."""
    if 0 not in special:
        return len(special), 0
    return special.index(0), special[::-1].index(0)


def _windows(tokens: int, room: int, stride: int) -> list[tuple[int, int, int, int]]:
    """Return windows of `room` tokens that share `stride` with the next: (start, end, first queried, last queried).

    Where two windows overlap, each is queried for half.
    """
    if tokens <= room:
        return [(0, tokens, 0, tokens)]
    starts = list(range(0, tokens - stride, room - stride))
    cuts = [0, *(start + stride // 2 for start in starts[1:]), tokens]
    return [(a, min(a + room, tokens), cuts[n], cuts[n + 1]) for n, a in enumerate(starts)]
