"""Messages in Spanish and English, and the user's language: print(localized(f"{n} files", f"{n} archivos"))."""

from __future__ import annotations

import json
import locale
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, NamedTuple, cast

Language = Literal["en", "es"]
# es  es_MX.UTF-8  es-AR  Spanish_Spain.1252
SPANISH = re.compile(r"(es|spanish|español|castellano)([^a-z].*)?", re.IGNORECASE | re.DOTALL)

_chosen: Language | None = None  # by `use`


class Message(NamedTuple):
    """A message in English and Spanish. `str()` returns the one in the user's language."""

    en: str
    es: str

    def format(self, **values: object) -> Message:
        """Return the message with `{name}` replaced, as `str.format` does."""
        return Message(self.en.format(**values), self.es.format(**values))

    def in_(self, lang: str) -> str:
        """Return the text in "en" or "es"."""
        return self.es if lang == "es" else self.en

    @classmethod
    def same(cls, text: str) -> Message:
        """Return a message that is the same in both languages, such as a name."""
        return cls(text, text)

    def __str__(self) -> str:
        return self.in_(language())


EMPTY = Message("", "")


def catalog(path: Path) -> dict[str, Message]:
    """Return the messages of a JSON file, {key: {"en": …, "es": …}}."""
    return {key: Message(**texts) for key, texts in json.loads(path.read_text(encoding="utf-8")).items()}


def localized(en: str, es: str) -> str:
    """Return the text in the user's language."""
    return es if language() == "es" else en


def language() -> Language:
    """Return the language of `use`, else of GATONEGRO_LANG, else of the locale: "es" for Spanish, else "en".

    Each message calls it, so a change of the environment counts at once.
    """
    if _chosen is not None:
        return _chosen
    return "es" if SPANISH.fullmatch((os.environ.get("GATONEGRO_LANG") or _locale()).strip()) else "en"


def use(lang: str | None) -> None:
    """Set the language of this process, "en" or "es"; None returns to that of the environment."""
    global _chosen
    if lang not in ("en", "es", None):
        raise ValueError(f"the language must be 'en' or 'es', not {lang!r:.80}")
    _chosen = cast("Language | None", lang)


@contextmanager
def using(lang: str | None) -> Iterator[None]:
    """Set the language as `use` does, within the `with` block; None changes nothing."""
    before = _chosen
    use(lang or before)
    try:
        yield
    finally:
        use(before)


def number(n: int) -> Message:
    """Return a whole number with each language's separator of thousands: 12,345 and 12 345."""
    return Message(f"{n:,}", f"{n:,}".replace(",", "\N{NO-BREAK SPACE}") if n >= 10_000 else str(n))


def _locale() -> str:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):  # the order of POSIX
        if value := os.environ.get(name):
            return value
    if sys.platform in ("win32", "darwin"):  # programs not started in a terminal have none of these variables there
        with suppress(ValueError):  # an unknown locale
            return locale.getlocale()[0] or ""
    return ""
