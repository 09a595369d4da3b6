"""Encoding of long texts as overlapping windows, for tasks that need one model output per token."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tokenizers import Encoding

from gatonegro.checks import check_row_text, row_error
from gatonegro.config import Config
from gatonegro.errors import InputError, OptionError, RowError
from gatonegro.tasks.task import MESSAGES, Encoded
from gatonegro.tokenization import Tokenizer


def check_str(row: Any, options: Mapping[str, Any]) -> None:
    """Raise RowError for an input row that is not a valid text."""
    if isinstance(row, list | tuple | Mapping):
        raise row_error(MESSAGES["not_text"].format(kind=type(row).__name__))
    check_row_text(row)


def encode_tokens(
    tokenizer: Tokenizer,
    config: Config,
    rows: Sequence[Any],
    options: Mapping[str, Any],
    select_tokens: Callable[[int, Encoding], Sequence[int]],
) -> Encoded:
    """Encode texts or lists of words as token ids, splitting long ones into windows that fit the model.

    `select_tokens(row, encoding)` returns the indices of the queried tokens of a whole text, in ascending order, or
    raises the row's RowError. Each token is queried in the window in which it is farthest from an edge.
    """
    limit = min(config.max_tokens, tokenizer.model_max_length)
    if options.get("max_length") is not None:
        limit = min(limit, options["max_length"])
    special = tokenizer.num_special_tokens_to_add()
    window = limit - special
    stride = max(0, window // 4) if options.get("stride") is None else options["stride"]
    if window < 1 or stride >= window:
        raise OptionError(*MESSAGES["no_window"].format(limit=limit, special=special, stride=stride))
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
            selected = select_tokens(row, whole)
        except RowError as error:
            errors[row] = error.with_traceback(None)
            continue
        tokens, types = whole.ids, whole.type_ids  # each access makes a copy
        head, tail = _edges(whole.special_tokens_mask)
        end = len(tokens) - tail
        for a, b, low, high in _windows(end - head, window, stride):
            first = 0 if a == 0 else head + low
            last = len(tokens) if head + b == end else head + high
            for windows, values in ((ids, tokens), (token_types, types)):
                windows.append([*values[:head], *values[head + a : head + b], *values[end:]])
            queried.append([i - a for i in selected[bisect_left(selected, first) : bisect_left(selected, last)]])
            row_of.append(row)
    return Encoded(ids, row_of, limit, token_types, queried, encodings, errors)  # encodings of whole texts


def _edges(special: Sequence[int]) -> tuple[int, int]:
    """Return the numbers of special tokens before and after the text, from a mask of special tokens."""
    if 0 not in special:
        return len(special), 0
    return special.index(0), special[::-1].index(0)


def _windows(tokens: int, size: int, stride: int) -> list[tuple[int, int, int, int]]:
    """Split a number of tokens into windows of `size` tokens, `stride` of which are shared with the next window.

    A window is (start, end, query start, query end); two overlapping windows are queried for half of the overlap each.
    """
    if tokens <= size:
        return [(0, tokens, 0, tokens)]
    starts = list(range(0, tokens - stride, size - stride))
    cuts = [0, *(start + stride // 2 for start in starts[1:]), tokens]
    return [(a, min(a + size, tokens), cuts[n], cuts[n + 1]) for n, a in enumerate(starts)]
