"""One exception per kind of error that a user can correct.

Each message contains the error, its cause and its remedy, in English and Spanish:

    raise InputError(f"the list has {n} texts", f"la lista tiene {n} textos")

Each class also derives from the built-in that `transformers` users already catch:

    GatonegroError
    ├─ InputError (ValueError)
    │  └─ RowError
    │     └─ LanguageMismatchError
    ├─ ConfigError (ValueError)
    ├─ CheckpointError (ValueError)
    │  ├─ PickleRefusedError
    │  └─ MissingHeadError
    ├─ TokenizerError (ValueError)
    ├─ HubError (OSError)
    ├─ MissingExtraError (ImportError)
    └─ OptionError (TypeError)

    GatonegroWarning (UserWarning)
    └─ LanguageMismatchWarning
"""

from __future__ import annotations

from typing import TypeVar

from gatonegro.i18n import Message, language

B = TypeVar("B", bound="Bilingual")


class Bilingual(Exception):
    """A message in English and Spanish; the language is chosen when it is shown, not when it is raised.

    Args:
        en, es: the message; without `es`, it is the same in both languages.
        item: index, from 0, of the input that it concerns, if it concerns one of several.
    """

    separator = ": "  # between the item and the message

    def __init__(self, en: str, es: str | None = None, *, item: int | None = None):
        super().__init__(en, en if es is None else es)
        self.item = item

    def in_(self, lang: str, place: Message | None = None) -> str:
        """Return the message in Spanish for "es", "es-MX" …, else in English.

        Args:
            place: the name of the item that it concerns; by default "item 3".
        """
        lang = lang[:2].lower()
        text: str = self.args[lang == "es"]
        if self.item is None:
            return text
        place = Message(f"item {self.item}", f"el elemento {self.item}") if place is None else place
        return f"{place.in_(lang)}{self.separator}{text}"

    def within(self: B, en: str, es: str | None = None) -> B:
        """Return the same error with a place before its message: `raise error.within(source.name)`."""
        es = en if es is None else es
        return type(self)(f"{en}: {self.args[0]}", f"{es}: {self.args[1]}", item=self.item)

    def __str__(self) -> str:
        return self.in_(language())


def message_of(error: BaseException) -> Message:
    """Return an error's message in both languages; the same text twice for an error that is not ours."""
    if isinstance(error, Bilingual):
        return Message(error.in_("en"), error.in_("es"))
    return Message.same(str(error))


class GatonegroError(Bilingual):
    """The base of every error that this library raises on purpose."""


class InputError(GatonegroError, ValueError):
    """The text, batch or argument that was passed cannot be used."""


class RowError(InputError):
    """One row of several cannot be read. The message follows the item: "item 3" + "has no token"."""

    separator = " "


class LanguageMismatchError(RowError):
    """A text in a language that the model was not made for, with `language_check="error"`."""


class ConfigError(GatonegroError, ValueError):
    """`config.json` is missing a value, contradicts itself or names an unknown architecture."""


class CheckpointError(GatonegroError, ValueError):
    """The weights cannot be used: damaged, incomplete, of another shape or of another model."""


class PickleRefusedError(CheckpointError):
    """The folder has only pickled weights, which can run code when they are opened."""


class MissingHeadError(CheckpointError):
    """The checkpoint has no weights for the requested head."""


class TokenizerError(GatonegroError, ValueError):
    """The tokenizer's files are missing, damaged or do not fit together."""


class HubError(GatonegroError, OSError):
    """A model or one of its files could not be found or fetched."""

    def __init__(self, en: str, es: str | None = None, *, item: int | None = None):
        super().__init__(en, es, item=item)
        self.errno = self.strerror = None  # OSError takes two texts for these


class MissingExtraError(GatonegroError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class OptionError(GatonegroError, TypeError):
    """A keyword that the function does not have, or a value that it cannot take."""


class GatonegroWarning(Bilingual, UserWarning):
    """A notice about an answer, such as that its text was read in windows. The message follows the item."""

    separator = " "


class LanguageMismatchWarning(GatonegroWarning):
    """Texts in a language that the model was not made for: its answers to them are unreliable."""
