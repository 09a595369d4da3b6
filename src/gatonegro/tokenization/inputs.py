"""What users pass, checked: every refusal names the item and its type, before the Rust side sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gatonegro import checks
from gatonegro.checks import is_missing, lone_surrogate, short
from gatonegro.errors import HubError, InputError, TokenizerError, message_of
from gatonegro.i18n import Message

# what to do about it: for texts, and for texts that are lists of words
MEND = Message(
    "pass a str, a list of str, or a list of (str, str) pairs",
    "pasa un str, una lista de str, o una lista de pares (str, str)",
)
TOKEN = Message("the token", "el token")
MEND_WORDS = Message(
    "with is_split_into_words=True pass a list of words (str), or a list of such lists",
    "con is_split_into_words=True pasa una lista de palabras (str), o una lista de tales listas",
)


def as_batch(text: Any, pair: Any, words: bool) -> tuple[list[Any], bool, bool]:
    """Of a call's `text` and `pair`: the inputs for the Rust side; whether they are a batch; whether pairs.

    With `words` (`is_split_into_words`) a text is a list of words, so a batch is a list of lists.
    """
    if pair is not None:
        first, batched, _ = as_batch(text, None, words)
        second, paired, _ = as_batch(pair, None, words)
        if batched != paired or len(first) != len(second):
            count, others = _count(first, batched), _count(second, paired)
            raise InputError(
                f"text and text_pair do not match: {count.en} and {others.en}; pass as many of both",
                f"text y text_pair no casan: {count.es} y {others.es}; pasa tantos de uno como de otro",
            )
        return list(zip(first, second, strict=True)), batched, True
    if isinstance(text, str) and not words:
        return [text], False, False
    items = as_list(text)
    if items is None:
        raise _refused(Message("the text", "el texto"), text, words)
    if words:
        batched = bool(items) and not isinstance(items[0], str)
        texts = [_words(item, i) for i, item in enumerate(items)] if batched else [_words(items, 0)]
        return texts, batched, False
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
    """Call the Rust side; what it raises comes out as an InputError or TokenizerError that says why."""
    try:
        return encode(inputs, is_pretokenized=words, add_special_tokens=special)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a Rust panic is a BaseException
        for i, item in enumerate(inputs):
            for text in _leaves(item):
                as_token(text, _text(i))  # a lone surrogate never reaches the Rust side
        if "too short to respect" in str(error):
            raise InputError(
                "a pair is too long, and cutting only the part that `truncation` names cannot make it fit: "
                'use truncation="longest_first", or a larger max_length',
                "un par es demasiado largo, y no basta con cortar solo la parte que dice `truncation`: "
                'usa truncation="longest_first", o un max_length mayor',
            ) from None
        raise TokenizerError(
            f"the tokenizer cannot encode this batch of {len(inputs)}: {error}",
            f"el tokenizador no puede codificar este lote de {len(inputs)}: {error}",
        ) from None


def shorter(backend: Any, pair: tuple[str, str], limit: int, side: str) -> tuple[str, str]:
    """As much of both texts as can matter when they are cut to `limit` tokens together, and some more.

    Cutting a pair, the Rust side makes every window of one with every window of the other: memory grows with the
    square of the length. Which of the two is the longer must stay so, since an odd token is the longer one's.
    """
    if max(map(len, pair)) <= 16 * limit:
        return pair
    offsets = [backend.encode(text, add_special_tokens=False).offsets for text in pair]
    out = []
    for text, own, other in zip(pair, offsets, reversed(offsets), strict=True):
        most = (5 if len(own) > len(other) else 4) * limit
        if len(own) > most:
            text = text[: own[most][1]] if side == "right" else text[own[-most][0] :]
        out.append(text)
    return out[0], out[1]


def as_token(token: Any, where: Message = TOKEN) -> str:
    """The text of a str or AddedToken, if it can be written as UTF-8; else an InputError that names it."""
    text = getattr(token, "content", token)
    if not isinstance(text, str):
        given = _name(text)
        raise InputError(f"{where.en} is {given.en}: it must be a str", f"{where.es} es {given.es}: debe ser un str")
    if bad := lone_surrogate(text):
        raise InputError(f"{where.en} has {bad.en}", f"{where.es} tiene {bad.es}")
    return text


def choice(name: str, value: Any, known: Sequence[str]) -> str | None:
    """The strategy that `padding=` or `truncation=` names: True is the first of `known`, None is "do not"."""
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
    """`value` as an int of at least `least`, or an InputError that names the argument."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < least:
        wanted, given = checks.whole(least).wanted, short(value)
        raise InputError(f"{name}={given}: it must be {wanted.en}", f"{name}={given}: debe ser {wanted.es}")
    return int(value)


def as_ids(ids: Any) -> list[Any]:
    """Ids as a list of ints (or of such lists), from an int, a list, nested lists, an array or a tensor."""
    ids = ids.tolist() if hasattr(ids, "tolist") else ids
    ids = ids if isinstance(ids, (list, tuple)) else [ids]
    if ids and all(isinstance(row, (list, tuple)) or getattr(row, "ndim", 0) for row in ids):
        return [as_ids(row) for row in ids]
    for i, index in enumerate(ids):
        if isinstance(index, bool) or not hasattr(index, "__index__") or not 0 <= int(index) < 2**32:
            given, hint = _name(index), Message.same("")
            if index == -100:
                hint = Message(
                    "; -100 marks labels to leave out: put pad_token_id in its place",
                    "; -100 marca las etiquetas que no cuentan: pon pad_token_id en su lugar",
                )
            raise InputError(
                f"id {i} is {given.en}: ids are whole numbers from 0{hint.en}",
                f"el id {i} es {given.es}: los ids son números enteros desde 0{hint.es}",
            )
    return [int(index) for index in ids]


def as_list(value: Any) -> list[Any] | None:
    """A list of what a sequence or a column (numpy, pandas) has; None for anything else, text too."""
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
        raise _refused(_text(i), value, words=True)
    for at, word in enumerate(items):
        if not isinstance(word, str):
            raise _refused(Message(f"word {at} of text {i}", f"la palabra {at} del texto {i}"), word, words=True)
    return items


def _refused(where: Message, value: Any, words: bool = False) -> InputError:
    """The error for what is no text; `where` names it."""
    given, mend = _name(value), MEND_WORDS if words else MEND
    return InputError(f"{where.en} is {given.en}: {mend.en}", f"{where.es} es {given.es}: {mend.es}")


def _text(i: int) -> Message:
    return Message(f"text {i}", f"el texto {i}")


def _name(value: Any) -> Message:
    """What a value is, in words that follow "is"."""
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
    """Raise whatever goes wrong inside as a TokenizerError that names the file."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, MemoryError, HubError):
        raise
    except BaseException as error:  # a Rust panic is a BaseException
        why, guess = message_of(error), Message("damaged? ", "¿dañado? ")
        if isinstance(error, TokenizerError):
            guess = Message.same("")
        raise TokenizerError(
            f"{en} cannot be used: {guess.en}{why.en}", f"no se puede usar {es}: {guess.es}{why.es}"
        ) from None
