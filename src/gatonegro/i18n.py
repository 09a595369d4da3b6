"""Messages in English and Spanish, and the choice between these languages for the user."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import UserDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, cast

Language = Literal["en", "es"]
# es  es_MX.UTF-8  es-AR  Spanish_Spain.1252
SPANISH_LOCALE = re.compile(r"(es|spanish|español|castellano)([^a-z].*)?", re.IGNORECASE | re.DOTALL)
NOISE = 1e-4  # numbers below are shown as 0
MAX_FIXED = 1e5  # larger numbers are shown with a power of ten
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

MAX_MESSAGE, MAX_VALUE = 2000, 500  # characters of a message, of a value that it quotes

_chosen: Language | None = None  # the argument of `set_language`


def shorten(text: str, limit: int) -> str:
    """Return a text with "…" in place of its middle if it is longer than `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit // 2]}…{text[-(limit // 2) :]}"


class Message(NamedTuple):
    """Message in English and Spanish, of which `str()` returns the text in the user's language."""

    en: str
    es: str

    def format(self, **values: object) -> Message:
        """Return the message with its `{name}` placeholders replaced in both languages, as by `str.format`.

        Long str values, which may come from a file, are cut.
        """
        values = {
            name: shorten(value, MAX_VALUE) if isinstance(value, str) else value for name, value in values.items()
        }
        return Message(self.en.format(**values), self.es.format(**values))

    def in_(self, lang: str) -> str:
        """Return the message's text in Spanish for "es", or in English for any other language."""
        return self.es if lang == "es" else self.en

    @classmethod
    def same(cls, text: str) -> Message:
        """Create a message with the same text in English and Spanish, such as a name."""
        return cls(text, text)

    def __str__(self) -> str:
        return self.in_(user_language())


EMPTY = Message("", "")


class Catalog(UserDict[str, Message]):
    """Messages by key, from a JSON file of the form `{key: {"en": …, "es": …}}` that is read when one is needed."""

    def __init__(self, path: Path):
        self.path = path

    @cached_property
    def data(self) -> dict[str, Message]:  # type: ignore[override]
        """All messages by key."""
        return {key: Message(**texts) for key, texts in json.loads(self.path.read_text(encoding="utf-8")).items()}


def catalog(path: Path) -> Catalog:
    """Return the messages of a JSON file."""
    return Catalog(path)


def localized(en: str, es: str) -> str:
    """Return the English or the Spanish text, depending on the user's language."""
    return es if user_language() == "es" else en


def user_language() -> Language:
    """Return the user's language, "es" or "en", from `set_language`, else GATONEGRO_LANG, else the locale.

    It reads the environment on every call, so a change takes effect at once.
    """
    if _chosen is not None:
        return _chosen
    return "es" if SPANISH_LOCALE.fullmatch((os.environ.get("GATONEGRO_LANG") or _locale()).strip()) else "en"


def set_language(lang: str | None) -> None:
    """Set the language of messages to "en" or "es", or to the environment's language with None."""
    global _chosen
    if lang not in ("en", "es", None):
        raise ValueError(f"the language must be 'en' or 'es', not {lang!r:.80}")
    _chosen = cast("Language | None", lang)


@contextmanager
def override_language(lang: str | None) -> Iterator[None]:
    """Set the language of messages within a `with` block, or leave it unchanged if the argument is None."""
    before = _chosen
    set_language(lang or before)
    try:
        yield
    finally:
        set_language(before)


def format_int(n: int) -> Message:
    """Format an integer with the thousands separator of English, 12,345, and of Spanish, 12 345."""
    return Message(f"{n:,}", f"{n:,}".replace(",", "\N{NO-BREAK SPACE}") if n >= 10_000 else str(n))


def format_number(x: float, decimals: int = 4, sign: bool = False, small: bool = False) -> Message:
    """Format a number for people: 0.5000 in English, 0,5000 in Spanish, and no decimals if it is whole.

    `number` in web/page.js has the same rules. Numbers below `NOISE` are rounding errors and become 0, unless they may
    be `small`, 3.1·10⁻⁵. Halves are rounded up. With `sign`, positive numbers have a plus sign.
    """
    from decimal import ROUND_HALF_UP, Decimal, localcontext  # here, for a light start

    if not abs(x) >= NOISE and not (small and x):
        return Message.same("0" if x == x else "—")
    size = Decimal(abs(x))
    with localcontext() as context:
        context.rounding = ROUND_HALF_UP
        if NOISE <= size < MAX_FIXED:
            text = f"{size:.0f}" if size == int(size) else f"{size:.{decimals}f}"
        else:
            mantissa, exponent = f"{size:.1e}".split("e") if size.is_finite() else ("∞", "0")
            power = f"10{str(int(exponent)).translate(SUPERSCRIPTS)}" if int(exponent) else ""
            text = power if abs(x) == float(f"1e{exponent}") else "·".join(filter(None, (mantissa, power)))
    mark = "−" if x < 0 else "+" * sign
    return spanish_numbers(mark * any(c in "123456789∞" for c in text) + text)


def format_vector(numbers: Iterable[float], more: bool = False) -> Message:
    """Format a vector for people, as [0.5000, 1] in English and [0,5000; 1] in Spanish; `more` adds an ellipsis."""
    return spanish_numbers(f"[{', '.join([*(format_number(x).en for x in numbers), *'…' * more])}]")


def spanish_numbers(text: str) -> Message:
    """Return a message whose Spanish text has the decimal commas of Spanish, and vectors such as [0,5; 1]."""
    spanish = re.sub(r"(?<=\d)\.(?=\d)", ",", text)
    if spanish == text:
        return Message.same(text)
    return Message(text, re.sub(r"\[[^][]*\]", lambda vector: vector[0].replace(", ", "; "), spanish))


def _locale() -> str:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):  # in POSIX order of precedence
        if value := os.environ.get(name):
            return value
    if sys.platform in ("win32", "darwin"):  # programs started outside a terminal lack these variables
        import locale

        with suppress(ValueError):  # an unknown locale
            return locale.getlocale()[0] or ""
    return ""
