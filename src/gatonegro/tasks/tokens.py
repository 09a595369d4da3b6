"""What the tasks that answer by token share: a text's tokens, in windows that overlap, each asked about once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tokenizers import Encoding

from gatonegro.config import Config
from gatonegro.errors import InputError, OptionError
from gatonegro.tasks.task import Encoded, check_text
from gatonegro.tokenization import Tokenizer
from gatonegro.wording import both


def check_str(row: Any, options: Mapping[str, Any]) -> None:
    """Refuse what is no text."""
    if isinstance(row, list | tuple | Mapping):
        kind = type(row).__name__
        raise InputError(
            both(
                f"a {kind} where a text is wanted; pass a str, or a flat list of them.",
                f"{kind} donde hace falta un texto; pasa un str, o una lista sin anidar.",
            )
        )
    check_text(row)


def encode_tokens(
    tokenizer: Tokenizer,
    config: Config,
    rows: Sequence[Any],
    options: Mapping[str, Any],
    wanted: Callable[[int, Encoding], Sequence[int]],
) -> Encoded:
    """Texts, or lists of words, as sequences that fit the model.

    `wanted(row, encoding)` says which tokens of a whole text are asked about, in ascending order. In a text that is
    read in windows, each token is asked about in the window in which it stands farthest from an edge. The notes are
    the encodings of whole texts.
    """
    limit = min(config.max_tokens, tokenizer.model_max_length)
    if options.get("max_length") is not None:
        limit = min(limit, options["max_length"])
    special = tokenizer.num_special_tokens_to_add()
    room = limit - special
    stride = room // 4 if options.get("stride") is None else options["stride"]
    if room < 1 or stride >= room:
        raise OptionError(
            both(
                f"{limit} tokens at a time, {special} of them special, with stride={stride} leave no room for a new "
                "one; make max_length larger, or stride smaller.",
                f"{limit} tokens de una vez, {special} de ellos especiales, con stride={stride} no dejan sitio para "
                "uno nuevo; aumenta max_length, o reduce stride.",
            )
        )
    batch = tokenizer(
        list(rows),
        truncation=bool(options.get("truncation")),
        max_length=limit,
        is_split_into_words=bool(options.get("is_split_into_words")),
        return_special_tokens_mask=True,
        return_offsets_mapping=True,
    )
    found: tuple[list, list, list, list] = ([], [], [], [])
    ids, segments, owners, asked = found
    encodings = list(batch.encodings or [])
    for row, whole in enumerate(encodings):
        about = wanted(row, whole)
        head, tail = _edges(whole.special_tokens_mask)
        body = len(whole) - head - tail
        for a, b, low, high in _windows(body, room, stride):
            # the whole text's tokens that this window has, between its special ones
            places = [*range(head), *range(head + a, head + b), *range(len(whole) - tail, len(whole))]
            first = 0 if a == 0 else head + low
            last = len(whole) if b == body else head + high
            at = {place: i for i, place in enumerate(places)}
            ids.append([whole.ids[place] for place in places])
            segments.append([whole.type_ids[place] for place in places])
            asked.append([at[place] for place in about if first <= place < last])
            owners.append(row)
    return Encoded(ids, owners, limit, segments if config.type_vocab_size > 1 else None, (), asked, encodings)


def _edges(special: Sequence[int]) -> tuple[int, int]:
    """How many special tokens stand before the text, and how many behind it."""
    if 0 not in special:
        return len(special), 0
    return special.index(0), special[::-1].index(0)


def _windows(tokens: int, room: int, stride: int) -> list[tuple[int, int, int, int]]:
    """Windows of `room` tokens, each repeating the last `stride` of the one before: from, to, and which of them are
    its own, from and to: where two overlap, each has half."""
    if tokens <= room:
        return [(0, tokens, 0, tokens)]
    starts = list(range(0, tokens - stride, room - stride))
    cuts = [0, *(start + stride // 2 for start in starts[1:]), tokens]
    return [(a, min(a + room, tokens), cuts[n], cuts[n + 1]) for n, a in enumerate(starts)]
