"""What a pipeline does about texts in a language that its model was not made for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatonegro.errors import LanguageMismatchError, LanguageMismatchWarning, OptionError
from gatonegro.i18n import localized
from gatonegro.language import Languages, Match, match, name_of
from gatonegro.tokenization import Tokenizer

CHECKS = ("warn", "error", "route", "off")
ALL, EACH = 64, 32  # so many rows of a call are looked at, and of the rest every so-manieth
LOOKED_AT = 300  # characters of a text


def check_of(value: Any) -> str:
    if value in CHECKS:
        return value
    known = ", ".join(map(repr, CHECKS))
    raise OptionError(
        f"language_check must be one of {known}, not {value!r:.80}.",
        f"language_check debe ser uno de {known}, no {value!r:.80}.",
    )


def text_of_row(row: Any) -> str:
    """The text of a row, to tell its language by; "" where it is none."""
    if isinstance(row, Mapping):
        row = " ".join(str(row[name]) for name in ("text", "text_pair", "question", "context") if row.get(name))
    return row[:LOOKED_AT] if isinstance(row, str) else ""


@dataclass
class LanguageCheck:
    """Of one call: how many texts were looked at, how many do not fit, and the first of these."""

    languages: Languages
    tokenizer: Tokenizer
    model: str
    mode: str
    looked_at: int = 0
    wrong: int = 0
    example: tuple[int, str, str | None] = (0, "", None)  # item, text, language
    told: bool = False

    def look(self, rows: Sequence[Any], first: int) -> None:
        """Raise LanguageMismatchError, if that was asked for."""
        if self.mode not in ("warn", "error"):
            return
        for i, row in enumerate(rows, first):
            if self.mode == "error" or i < ALL or i % EACH == 0:
                self.count(i, row, match(text_of_row(row), self.languages, self.tokenizer))
                if self.wrong and self.mode == "error":
                    raise LanguageMismatchError(self._said())

    def count(self, number: int, row: Any, found: Match) -> None:
        """Keep what was found of a row."""
        self.looked_at += 1
        if found.fits is False:
            self.wrong += 1
            if self.wrong == 1:
                self.example = number, text_of_row(row), found.language

    def tell(self) -> None:
        """Warn, once."""
        if self.wrong and not self.told:
            self.told = True
            warnings.warn(self._said(), LanguageMismatchWarning, stacklevel=4)

    def _said(self) -> str:
        item, text, language = self.example
        text = text if len(text) <= 60 else text[:59] + "…"
        theirs, model = ", ".join(map(name_of, self.languages.codes)), self.model or localized("the model", "el modelo")
        many = localized(
            f"{self.wrong} of {self.looked_at} texts that were looked at",
            f"{self.wrong} de {self.looked_at} textos mirados",
        )
        return localized(
            f"item {item} ({text!r}) seems to be in {name_of(language)}, and {model} was made for {theirs}: its answer "
            f"is not to be trusted ({many}). Take a model for {name_of(language)}; gatonegro.diagnose(text, model=…) "
            'shows the evidence, language_check="off" ends this.',
            f"el elemento {item} ({text!r}) parece estar en {name_of(language)}, y {model} se hizo para {theirs}: su "
            f"respuesta no es de fiar ({many}). Usa un modelo para {name_of(language)}; gatonegro.diagnose(texto, "
            'model=…) enseña las pruebas, language_check="off" calla este aviso.',
        )
