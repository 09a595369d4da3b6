"""Validation of texts and options before the Rust tokenizer gets them, with errors that name the invalid item."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gatonegro import checks
from gatonegro.checks import is_missing, short_repr, surrogate_problem
from gatonegro.errors import GatonegroError, HubError, InputError, TokenizerError, message_of
from gatonegro.i18n import EMPTY, Message, catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))
PASS_TEXTS, PASS_WORDS = MESSAGES["pass_texts"], MESSAGES["pass_words"]  # remedies that end an error
THE_TOKEN = Message("the token", "el token")


def as_batch(text: Any, pair: Any, words: bool) -> tuple[list[Any], bool, bool]:
    """Return a call's texts as a list for the Rust tokenizer, and two flags: True for a batch, True for pairs.

    With `words` (`is_split_into_words`), a text is a list of words, and a batch a list of lists.
    """
    if pair is not None:
        first, batched, _ = as_batch(text, None, words)
        second, pair_batched, _ = as_batch(pair, None, words)
        if batched != pair_batched or len(first) != len(second):
            count, others = _count(first, batched), _count(second, pair_batched)
            raise InputError(*MESSAGES["pair_lengths"].format(count=count, others=others))
        return list(zip(first, second, strict=True)), batched, True
    if isinstance(text, str) and not words:
        return [text], False, False
    items = as_list(text)
    if items is None:
        raise _type_error(Message("the text", "el texto"), text, PASS_WORDS if words else PASS_TEXTS)
    if words:
        batched = bool(items) and not isinstance(items[0], str)
        rows = [_words_or_pair(item, i) for i, item in enumerate(items if batched else [items])]
        return rows, batched, bool(rows) and isinstance(rows[0], tuple)
    if set(map(type, items)) <= {str}:  # the common case, at C speed
        return items, True, False
    checked = [_text_or_pair(item, i) for i, item in enumerate(items)]
    pairs = [isinstance(item, tuple) for item in checked]
    if any(pairs) and not all(pairs):
        i = pairs.index(not pairs[0])
        kind = Message("a pair", "un par") if pairs[i] else Message("one text", "un solo texto")
        raise InputError(*MESSAGES["mixed_pairs"].format(i=i, kind=kind, pass_texts=PASS_TEXTS))
    return checked, True, any(pairs)


def encode_rows(encode: Callable[..., list[Any]], inputs: list[Any], words: bool, special: bool) -> list[Any]:
    """Encode texts with the Rust tokenizer, converting its errors to InputError or TokenizerError with the reason."""
    try:
        return encode(inputs, is_pretokenized=words, add_special_tokens=special)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a Rust panic is a BaseException
        for i, item in enumerate(inputs):
            for text in _texts(item):
                as_token(text, _text_name(i))  # raises if the reason is a lone surrogate
        if "too short to respect" in str(error):
            raise InputError(*MESSAGES["pair_too_long"]) from None
        raise TokenizerError(*MESSAGES["not_encoded"].format(count=len(inputs), error=error)) from None


def shorten_pair(backend: Any, pair: tuple[str, str], limit: int, side: str) -> tuple[str, str]:
    """Cut the very long texts of a pair to a few times the maximum length, to save memory in truncation.

    When truncating a pair, the Rust backend makes all pairs of windows of the two: memory grows with the square of the
    length. The longer text must stay the longer one, since an odd token goes to it.
    """
    if max(map(len, pair)) <= 16 * limit:
        return pair
    offsets = [backend.encode(text, add_special_tokens=False).offsets for text in pair]
    shortened = []
    for text, spans, others in zip(pair, offsets, reversed(offsets), strict=True):
        max_spans = (5 if len(spans) > len(others) else 4) * limit
        if len(spans) > max_spans:
            text = text[: spans[max_spans][1]] if side == "right" else text[spans[-max_spans][0] :]
        shortened.append(text)
    return shortened[0], shortened[1]


def as_token(token: Any, where: Message = THE_TOKEN) -> str:
    """Return the text of a token that is given as a str or an AddedToken.

    Raises:
        InputError: it is neither, or UTF-8 cannot encode it; the message begins with `where`.
    """
    text = getattr(token, "content", token)
    if not isinstance(text, str):
        raise _type_error(where, text, remedy=Message("it must be a str", "debe ser un str"))
    if bad := surrogate_problem(text):
        raise InputError(f"{where.en} has {bad.en}", f"{where.es} tiene {bad.es}")
    return text


def resolve_strategy(name: str, value: Any, strategies: Sequence[str]) -> str | None:
    """Return the strategy that `padding=` or `truncation=` selects, or None for no padding or truncation."""
    value = getattr(value, "value", value)  # transformers' PaddingStrategy and TruncationStrategy too
    if value is None or value is False:
        return None
    if value is True:
        return strategies[0]
    if isinstance(value, str) and value in ("do_not_pad", "do_not_truncate"):
        return None
    if not isinstance(value, str) or value not in strategies:
        others = ", ".join(map(repr, strategies))
        raise InputError(*MESSAGES["strategy"].format(name=name, value=short_repr(value), others=others))
    return str(value)


def as_int(name: str, value: Any, least: int) -> int:
    """Convert an argument to int, or raise InputError if it is not an integer or is below `least`."""
    with suppress(TypeError):
        if not isinstance(value, bool) and (number := operator.index(value)) >= least:
            return number
    condition, shown = checks.whole(least).expected, short_repr(value)
    raise InputError(*MESSAGES["integer"].format(name=name, shown=shown, wanted=condition))


def as_ids(ids: Any) -> list[Any]:
    """Convert token ids, given as an int, lists, an array or a tensor, to a list of ints or a list of such lists."""
    ids = ids.tolist() if hasattr(ids, "tolist") else ids
    ids = ids if isinstance(ids, (list, tuple)) else [ids]
    if ids and all(isinstance(row, (list, tuple)) or getattr(row, "ndim", 0) for row in ids):
        return [as_ids(row) for row in ids]
    for i, index in enumerate(ids):
        if isinstance(index, bool) or not hasattr(index, "__index__") or not 0 <= int(index) < 2**32:
            remedy = MESSAGES["labels_left_out" if index == -100 else "pass_ids"]
            raise _type_error(Message(f"id {i}", f"el id {i}"), index, remedy)
    return [int(index) for index in ids]


def as_list(value: Any) -> list[Any] | None:
    """Return the items of a sequence, array or pandas column as a list, or None for a text or any other type."""
    if isinstance(value, (str, bytes, bytearray, dict)):
        return None
    if getattr(value, "ndim", 0) == 1 and hasattr(value, "tolist"):
        return list(value.tolist())
    return list(value) if isinstance(value, Sequence) else None


def _text_or_pair(item: Any, i: int) -> Any:
    if isinstance(item, str):
        return item
    if isinstance(item, (list, tuple)) and len(item) == 2 and all(isinstance(part, str) for part in item):
        return tuple(item)
    raise _type_error(_text_name(i), item)


def _words_or_pair(value: Any, i: int) -> Any:
    pair = isinstance(value, list | tuple) and len(value) == 2 and not any(isinstance(part, str) for part in value)
    return tuple(_words(part, i) for part in value) if pair else _words(value, i)


def _words(value: Any, i: int) -> list[str]:
    items = as_list(value)
    if items is None:
        raise _type_error(_text_name(i), value, PASS_WORDS)
    for j, word in enumerate(items):
        if not isinstance(word, str):
            raise _type_error(Message(f"word {j} of text {i}", f"la palabra {j} del texto {i}"), word, PASS_WORDS)
    return items


def _type_error(where: Message, value: Any, remedy: Message = PASS_TEXTS) -> InputError:
    """Return the error for an argument of the wrong type, which names the item, its type and the remedy."""
    kind = _type_name(value)
    return InputError(f"{where.en} is {kind.en}: {remedy.en}", f"{where.es} es {kind.es}: {remedy.es}")


def _text_name(i: int) -> Message:
    return Message(f"text {i}", f"el texto {i}")


def _type_name(value: Any) -> Message:
    """Return a description of a value's type for error messages, such as "of type dict" or "int 3"."""
    kind = type(value).__name__
    if is_missing(value):
        nan = Message("a float (nan)", "un float (nan)")
        shown = nan if isinstance(value, float) else Message.same(short_repr(value))
        return Message(f"{shown.en}, perhaps a missing value", f"{shown.es}, quizá un valor que falta")
    if isinstance(value, (int, float)):
        return Message(f"{kind} {short_repr(value)}", f"un {kind}, {short_repr(value)}")
    if isinstance(value, (list, tuple)):
        return Message(f"of type {kind} of {len(value)} items", f"de tipo {kind} de {len(value)} elementos")
    return Message(f"of type {kind}", f"de tipo {kind}")


def _count(part: list[Any], batched: bool) -> Message:
    return Message(f"{len(part)} in a list", f"{len(part)} en una lista") if batched else Message("one", "uno")


def _texts(item: Any) -> list[str]:
    return [item] if isinstance(item, str) else [text for part in item for text in _texts(part)]


@contextmanager
def file_errors(en: str, es: str) -> Iterator[None]:
    """Convert errors inside a `with` block to a TokenizerError that names the file being read."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, MemoryError, HubError):
        raise
    except BaseException as error:  # a Rust panic is a BaseException
        why = message_of(error)
        known = isinstance(error, GatonegroError | OSError) and not isinstance(
            error.__cause__, ValueError | RecursionError
        )
        hint = EMPTY if known else Message("damaged? ", "¿dañado? ")
        raise TokenizerError(
            f"{en} cannot be used: {hint.en}{why.en}", f"no se puede usar {es}: {hint.es}{why.es}"
        ) from None
