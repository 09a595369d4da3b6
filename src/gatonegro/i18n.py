"""Messages in Spanish and English, and the user's language. Both texts stand side by side in the code:

print(localized(f"{n} files", f"{n} archivos"))
"""

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
SPANISH = re.compile(
    r"(es|spanish|español|castellano)([^a-z].*)?", re.IGNORECASE | re.DOTALL
)  # es  es_MX.UTF-8  es-AR  Spanish_Spain.1252

_chosen: Language | None = None  # by `use`


class Message(NamedTuple):
    """A message in English and Spanish. `str()` returns the one in the user's language."""

    en: str
    es: str

    def format(self, **values: object) -> Message:
        """Return the message with `{name}` replaced, as `str.format` does."""
        return Message(self.en.format(**values), self.es.format(**values))

    def in_(self, lang: str) -> str:
        return self.es if lang == "es" else self.en

    @classmethod
    def same(cls, text: str) -> Message:
        """The same text in both languages: a name, or nothing."""
        return cls(*[text] * 2)

    def __str__(self) -> str:
        return self.in_(language())


EMPTY = Message("", "")


def catalog(path: Path) -> dict[str, Message]:
    """Return the messages of a JSON file, {key: {"en": …, "es": …}}."""
    return {key: Message(**texts) for key, texts in json.loads(path.read_text(encoding="utf-8")).items()}


Pair = tuple[str, str]  # English and Spanish, in tables


def localized(en: str, es: str) -> str:
    """Return the one of the two that is in the user's language."""
    return es if language() == "es" else en


def language() -> Language:
    """What `use` chose, else GATONEGRO_LANG, else the locale: "es" for Spanish, "en" for all others.

    It is asked anew for every message, so a change of the environment counts at once.
    """
    if _chosen is not None:
        return _chosen
    return "es" if SPANISH.fullmatch((os.environ.get("GATONEGRO_LANG") or _locale()).strip()) else "en"


def use(lang: str | None) -> None:
    """Choose "en" or "es" for this process, whatever the environment says; None goes back to that."""
    global _chosen
    if lang not in ("en", "es", None):
        raise ValueError(f"the language must be 'en' or 'es', not {lang!r:.80}")
    _chosen = cast("Language | None", lang)


@contextmanager
def using(lang: str | None) -> Iterator[None]:
    """Choose a language as `use` does, within the `with`; None changes nothing."""
    before = _chosen
    use(lang or before)
    try:
        yield
    finally:
        use(before)


def number(n: int) -> Message:
    """A whole number with its thousands apart, as each language writes them: 12,345 and 12 345."""
    return Message(f"{n:,}", f"{n:,}".replace(",", "\N{NO-BREAK SPACE}") if n >= 10_000 else str(n))


def _locale() -> str:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):  # the order of POSIX
        if said := os.environ.get(name):
            return said
    if sys.platform in ("win32", "darwin"):  # where programs not begun in a terminal have none of them
        with suppress(ValueError):  # a locale that Python does not know
            return locale.getlocale()[0] or ""
    return ""
