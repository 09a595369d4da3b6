"""Checks of what users pass to a tokenizer, before the Rust side sees it; errors name the item and its type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gatonegro import checks
from gatonegro.checks import is_missing, short, surrogate_problem
from gatonegro.errors import HubError, InputError, TokenizerError, message_of
from gatonegro.i18n import EMPTY, Message, catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))
MEND, MEND_WORDS = MESSAGES["pass_texts"], MESSAGES["pass_words"]  # advice that ends an error
TOKEN = Message("the token", "el token")


def as_batch(text: Any, pair: Any, words: bool) -> tuple[list[Any], bool, bool]:
    """Return the inputs for the Rust side, True if they are a batch, and True if they are pairs.

    With `words` (`is_split_into_words`) a text is a list of words, so a batch is a list of lists.
    """
    if pair is not None:
        first, batched, _ = as_batch(text, None, words)
        second, pair_batched, _ = as_batch(pair, None, words)
        if batched != pair_batched or len(first) != len(second):
            count, others = _count(first, batched), _count(second, pair_batched)
            raise InputError(
                f"text and text_pair do not match: {count.en} and {others.en}; pass as many of both",
                f"text y text_pair no casan: {count.es} y {others.es}; pasa tantos de uno como de otro",
            )
        return list(zip(first, second, strict=True)), batched, True
    if isinstance(text, str) and not words:
        return [text], False, False
    items = as_list(text)
    if items is None:
        raise _refused(Message("the text", "el texto"), text, MEND_WORDS if words else MEND)
    if words:
        batched = bool(items) and not isinstance(items[0], str)
        return [_words(item, i) for i, item in enumerate(items if batched else [items])], batched, False
    if set(map(type, items)) <= {str}:  # the common case, at C speed
        return items, True, False
    checked = [_text_or_pair(item, i) for i, item in enumerate(items)]
    pairs = [isinstance(item, tuple) for item in checked]
    if any(pairs) and not all(pairs):
        i = pairs.index(not pairs[0])
        kind = Message("a pair", "un par") if pairs[i] else Message("one text", "un solo texto")
        raise InputError(
            f"text {i} is {kind.en}, and text 0 is not: {MEND.en}",
            f"el texto {i} es {kind.es}, y el texto 0 no: {MEND.es}",
        )
    return checked, True, any(pairs)


def run(encode: Callable[..., list[Any]], inputs: list[Any], words: bool, special: bool) -> list[Any]:
    """Call the Rust side; raise what it raises as an InputError or a TokenizerError with the reason."""
    try:
        return encode(inputs, is_pretokenized=words, add_special_tokens=special)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a Rust panic is a BaseException
        for i, item in enumerate(inputs):
            for text in _leaves(item):
                as_token(text, _text(i))  # a lone surrogate is one reason
        if "too short to respect" in str(error):
            raise InputError(*MESSAGES["pair_too_long"]) from None
        raise TokenizerError(
            f"the tokenizer cannot encode this batch of {len(inputs)}: {error}",
            f"el tokenizador no puede codificar este lote de {len(inputs)}: {error}",
        ) from None


def shorter(backend: Any, pair: tuple[str, str], limit: int, side: str) -> tuple[str, str]:
    """Return both texts, shortened to a few times what is left of them when they are cut to `limit` tokens together.

    When it cuts a pair, the Rust side makes all pairs of windows of the two: memory grows with the square of the
    length. The longer text must stay the longer one, since an odd token goes to it.
    """
    if max(map(len, pair)) <= 16 * limit:
        return pair
    offsets = [backend.encode(text, add_special_tokens=False).offsets for text in pair]
    shortened = []
    for text, spans, others in zip(pair, offsets, reversed(offsets), strict=True):
        most = (5 if len(spans) > len(others) else 4) * limit
        if len(spans) > most:
            text = text[: spans[most][1]] if side == "right" else text[spans[-most][0] :]
        shortened.append(text)
    return shortened[0], shortened[1]


def as_token(token: Any, where: Message = TOKEN) -> str:
    """Return the text of a str or AddedToken.

    Raises:
        InputError: it is neither, or UTF-8 cannot hold it; the message names `where`.
    """
    text = getattr(token, "content", token)
    if not isinstance(text, str):
        raise _refused(where, text, mend=Message("it must be a str", "debe ser un str"))
    if bad := surrogate_problem(text):
        raise InputError(f"{where.en} has {bad.en}", f"{where.es} tiene {bad.es}")
    return text


def choice(name: str, value: Any, known: Sequence[str]) -> str | None:
    """Return the strategy that `padding=` or `truncation=` names; the first of `known` for True, None for "do not"."""
    value = getattr(value, "value", value)  # transformers' PaddingStrategy and TruncationStrategy too
    if value is None or value is False or value in ("do_not_pad", "do_not_truncate"):
        return None
    if value is True:
        return known[0]
    if value not in known:
        others = ", ".join(map(repr, known))
        raise InputError(
            f"{name}={short(value)} is not known: use True, False, {others}",
            f"no se conoce {name}={short(value)}: usa True, False, {others}",
        )
    return value


def whole(name: str, value: Any, least: int) -> int:
    """Return `value` as an int of at least `least`; raise an InputError that names the argument for another."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < least:
        wanted, given = checks.whole(least).expected, short(value)
        raise InputError(f"{name}={given}: it must be {wanted.en}", f"{name}={given}: debe ser {wanted.es}")
    return int(value)


def as_ids(ids: Any) -> list[Any]:
    """Return ids as a list of ints (or of such lists), from an int, a list, nested lists, an array or a tensor."""
    ids = ids.tolist() if hasattr(ids, "tolist") else ids
    ids = ids if isinstance(ids, (list, tuple)) else [ids]
    if ids and all(isinstance(row, (list, tuple)) or getattr(row, "ndim", 0) for row in ids):
        return [as_ids(row) for row in ids]
    for i, index in enumerate(ids):
        if isinstance(index, bool) or not hasattr(index, "__index__") or not 0 <= int(index) < 2**32:
            mend = MESSAGES["labels_left_out" if index == -100 else "pass_ids"]
            raise _refused(Message(f"id {i}", f"el id {i}"), index, mend)
    return [int(index) for index in ids]


def as_list(value: Any) -> list[Any] | None:
    """Return the items of a sequence or a column (numpy, pandas); None for anything else, text too."""
    if isinstance(value, (str, bytes, bytearray, dict)):
        return None
    if getattr(value, "ndim", 0) == 1 and hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, Sequence) else None


def _text_or_pair(item: Any, i: int) -> Any:
    if isinstance(item, str):
        return item
    if isinstance(item, (list, tuple)) and len(item) == 2 and all(isinstance(part, str) for part in item):
        return tuple(item)
    raise _refused(_text(i), item)


def _words(value: Any, i: int) -> list[str]:
    items = as_list(value)
    if items is None:
        raise _refused(_text(i), value, MEND_WORDS)
    for j, word in enumerate(items):
        if not isinstance(word, str):
            raise _refused(Message(f"word {j} of text {i}", f"la palabra {j} del texto {i}"), word, MEND_WORDS)
    return items


def _refused(where: Message, value: Any, mend: Message = MEND) -> InputError:
    """Return the error for a value of the wrong type: the item that it is, its type, and what to do."""
    given = _name(value)
    return InputError(f"{where.en} is {given.en}: {mend.en}", f"{where.es} es {given.es}: {mend.es}")


def _text(i: int) -> Message:
    return Message(f"text {i}", f"el texto {i}")


def _name(value: Any) -> Message:
    """Return a value's type, and the value of a number, in words that follow "is"."""
    kind = type(value).__name__
    if is_missing(value):
        nan = Message("a float (nan)", "un float (nan)")
        given = nan if isinstance(value, float) else Message.same(short(value))
        return Message(f"{given.en}, perhaps a missing value", f"{given.es}, quizá un valor que falta")
    if isinstance(value, (int, float)):
        return Message(f"{kind} {short(value)}", f"un {kind}, {short(value)}")
    if isinstance(value, (list, tuple)):
        return Message(f"of type {kind} of {len(value)} items", f"de tipo {kind} de {len(value)} elementos")
    return Message(f"of type {kind}", f"de tipo {kind}")


def _count(part: list[Any], batched: bool) -> Message:
    return Message(f"{len(part)} in a list", f"{len(part)} en una lista") if batched else Message("one", "uno")


def _leaves(item: Any) -> list[str]:
    return [item] if isinstance(item, str) else [text for part in item for text in _leaves(part)]


@contextmanager
def damage(en: str, es: str) -> Iterator[None]:
    """Raise the errors of the block as a TokenizerError that names the file."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, MemoryError, HubError):
        raise
    except BaseException as error:  # a Rust panic is a BaseException
        why = message_of(error)
        guess = EMPTY if isinstance(error, TokenizerError) else Message("damaged? ", "¿dañado? ")
        raise TokenizerError(
            f"{en} cannot be used: {guess.en}{why.en}", f"no se puede usar {es}: {guess.es}{why.es}"
        ) from None
