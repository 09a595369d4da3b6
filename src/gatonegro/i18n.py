"""Messages in English and Spanish, and the user's language: `print(localized(f"{n} files", f"{n} archivos"))`."""

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
SPANISH_LOCALE = re.compile(r"(es|spanish|español|castellano)([^a-z].*)?", re.IGNORECASE | re.DOTALL)

_chosen: Language | None = None  # the argument of `set_language`


class Message(NamedTuple):
    """A message in English and Spanish. `str()` returns the text in the user's language."""

    en: str
    es: str

    def format(self, **values: object) -> Message:
        """Fill in the fields of both texts, as `str.format` does; from a `Message`, the text of the same language."""
        en, es = ({k: v.in_(lang) if isinstance(v, Message) else v for k, v in values.items()} for lang in ("en", "es"))
        return Message(self.en.format(**en), self.es.format(**es))

    def in_(self, lang: str) -> str:
        """Return the text in "en" or "es"."""
        return self.es if lang == "es" else self.en

    @classmethod
    def same(cls, text: str) -> Message:
        """Return a message with the same text in both languages, such as a name."""
        return cls(text, text)

    def __str__(self) -> str:
        return self.in_(user_language())


EMPTY = Message("", "")


def catalog(path: Path) -> dict[str, Message]:
    """Read a catalog of messages, a JSON file of the form `{key: {"en": …, "es": …}}`."""
    return {key: Message(**texts) for key, texts in json.loads(path.read_text(encoding="utf-8")).items()}


def localized(en: str, es: str) -> str:
    """Return one of two texts: the one in the user's language."""
    return es if user_language() == "es" else en


def user_language() -> Language:
    """Return "es" or "en": the value of `set_language`, else of GATONEGRO_LANG, else of the locale.

    It reads the environment on every call, so a change takes effect at once.
    """
    if _chosen is not None:
        return _chosen
    return "es" if SPANISH_LOCALE.fullmatch((os.environ.get("GATONEGRO_LANG") or _locale()).strip()) else "en"


def set_language(lang: str | None) -> None:
    """Set the language of this process to "en" or "es"; None restores the environment's."""
    global _chosen
    if lang not in ("en", "es", None):
        raise ValueError(f"the language must be 'en' or 'es', not {lang!r:.80}")
    _chosen = cast("Language | None", lang)


@contextmanager
def override_language(lang: str | None) -> Iterator[None]:
    """Set the language within the `with` block, as `set_language` does; None changes nothing."""
    before = _chosen
    set_language(lang or before)
    try:
        yield
    finally:
        set_language(before)


def format_int(n: int) -> Message:
    """Format an integer with each language's thousands separator: 12,345 and 12 345."""
    return Message(f"{n:,}", f"{n:,}".replace(",", "\N{NO-BREAK SPACE}") if n >= 10_000 else str(n))


def _locale() -> str:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):  # in POSIX order of precedence
        if value := os.environ.get(name):
            return value
    if sys.platform in ("win32", "darwin"):  # programs started outside a terminal lack these variables
        with suppress(ValueError):  # an unknown locale
            return locale.getlocale()[0] or ""
    return ""
