"""What users pass, checked: every refusal names the item and its type, before the Rust side sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gatonegro.errors import InputError, TokenizerError

MEND = "pass a str, a list of str, or a list of (str, str) pairs"
MISSING = "; a missing value? Drop its row, or put an empty text there"


def as_batch(text: Any, pair: Any, words: bool) -> tuple[list[Any], bool, bool]:
    """`(inputs for the Rust side, was it a batch?, are they pairs?)` of `text` and `pair` of a tokenizer call.

    With `words` (`is_split_into_words`) a text is a list of words, so a batch is a list of lists.
    """
    if pair is not None:
        first, batched, _ = as_batch(text, None, words)
        second, both, _ = as_batch(pair, None, words)
        if batched != both or len(first) != len(second):
            raise InputError(
                f"text and text_pair do not go together: {_count(first, batched)} and {_count(second, both)}; "
                "pass two texts, or two lists of the same length"
            )
        return list(zip(first, second, strict=True)), batched, True
    if isinstance(text, str) and not words:
        return [text], False, False
    items = _as_list(text)
    if items is None or (isinstance(text, str) and words):
        raise InputError(f"the text is {_name(text)}: {MEND}" if not words else _not_words("the text", text))
    if words:
        batched = bool(items) and not isinstance(items[0], str)
        return [_words(item, f"text {i}") for i, item in enumerate(items)] if batched else [
            _words(items, "the text")
        ], batched, False
    if set(map(type, items)) <= {str}:  # the common case, at C speed
        return items, True, False
    checked = [_text_or_pair(item, i) for i, item in enumerate(items)]
    pairs = [isinstance(item, tuple) for item in checked]
    if any(pairs) and not all(pairs):
        i = pairs.index(not pairs[0])
        raise InputError(f"text {i} is {'a pair' if pairs[i] else 'one text'}, but text 0 is not: {MEND}")
    return checked, True, any(pairs)


def run(encode: Callable[..., list[Any]], inputs: list[Any], words: bool, special: bool) -> list[Any]:
    """Call the Rust side; what it raises comes out as an InputError or TokenizerError that names the item."""
    try:
        return encode(inputs, is_pretokenized=words, add_special_tokens=special)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a Rust panic is a BaseException
        for i, item in enumerate(inputs):
            for text in _leaves(item):
                try:
                    text.encode()
                except UnicodeEncodeError as broken:
                    raise InputError(
                        f"text {i} has a lone surrogate, {text[broken.start]!r}, at character {broken.start}, which "
                        "no encoding can write: read the file with its right encoding, or mend it with "
                        "text.encode('utf-8', 'replace').decode()"
                    ) from None
        raise _why(error, len(inputs)) from None


def choice(name: str, value: Any, known: Sequence[str]) -> str | None:
    """The strategy that `padding=` or `truncation=` names: True is the first of `known`, None is "do not"."""
    value = getattr(value, "value", value)  # transformers' PaddingStrategy and TruncationStrategy too
    if value is None or value is False or value in ("do_not_pad", "do_not_truncate"):
        return None
    if value is True:
        return known[0]
    if value not in known:
        raise InputError(f"{name}={value!r} is not known: use True, False, {', '.join(map(repr, known))}")
    return value


def whole(name: str, value: Any, least: int) -> int:
    """`value` as an int of at least `least`, or an InputError that names the argument."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < least:
        raise InputError(f"{name}={value!r}: it must be a whole number of at least {least}")
    return int(value)


def as_ids(ids: Any) -> list[int] | list[list[int]]:
    """Ids as lists of ints, from an int, a list, nested lists, an array or a tensor."""
    ids = ids.tolist() if hasattr(ids, "tolist") else ids
    if not isinstance(ids, (list, tuple)):
        ids = [ids]
    if ids and all(isinstance(row, (list, tuple)) or getattr(row, "ndim", 0) for row in ids):
        return [as_ids(row) for row in ids]  # type: ignore[misc]
    for i, index in enumerate(ids):
        if isinstance(index, bool) or not hasattr(index, "__index__") or not 0 <= int(index) < 2**32:
            hint = "; -100 marks labels to leave out: put pad_token_id in its place" if index == -100 else ""
            raise InputError(f"id {i} is {_name(index)}: ids are whole numbers from 0{hint}")
    return [int(index) for index in ids]


def _as_list(value: Any) -> list[Any] | None:
    if isinstance(value, (str, bytes, bytearray, dict)):
        return None
    if getattr(value, "ndim", 1) == 1 and hasattr(value, "tolist"):  # numpy arrays, pandas and torch columns
        return value.tolist()
    return list(value) if isinstance(value, Sequence) else None


def _text_or_pair(item: Any, i: int) -> Any:
    if isinstance(item, str):
        return item
    if isinstance(item, (list, tuple)) and len(item) == 2 and all(isinstance(part, str) for part in item):
        return tuple(item)
    inner = f" of {len(item)} items" if isinstance(item, (list, tuple)) else ""
    raise InputError(f"text {i} is {_name(item)}{inner}: {MEND}")


def _words(value: Any, where: str) -> list[str]:
    items = _as_list(value)
    if items is None:
        raise InputError(_not_words(where, value))
    for i, word in enumerate(items):
        if not isinstance(word, str):
            raise InputError(f"word {i} of {where} is {_name(word)}: each word must be a str")
    return items


def _not_words(where: str, value: Any) -> str:
    return f"{where} is {_name(value)}: with is_split_into_words=True pass a list of words, or a list of such lists"


def _name(value: Any) -> str:
    kind = type(value).__name__
    if value is None or value != value:
        return ("None" if value is None else f"{kind} nan") + MISSING
    return f"{kind} {value!r}" if isinstance(value, (int, float)) else f"a {kind}"


def _count(items: list[Any], batched: bool) -> str:
    return f"a list of {len(items)}" if batched else "one text"


def _leaves(item: Any) -> list[str]:
    return [item] if isinstance(item, str) else [text for part in item for text in _leaves(part)]


def _why(error: BaseException, count: int) -> InputError | TokenizerError:
    if "too short to respect" in str(error):
        return InputError(
            "one of the pairs is too long, and cutting only the part that `truncation` names cannot make it fit: "
            'use truncation="longest_first", or a larger max_length'
        )
    return TokenizerError(f"the tokenizer's files cannot encode this batch of {count}: {error}")
