"""Exceptions and warnings, each with its message in English and Spanish.

A message states the error, its cause and its remedy:

    raise InputError(f"the list has {n} texts", f"la lista tiene {n} textos")

Each class also derives from the built-in exception that `transformers` raises in its place:

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
    ├─ LanguageMismatchWarning
    └─ DoubtWarning
"""

from __future__ import annotations

import sys
import types
import warnings
from typing import Any, TypeVar

from gatonegro.i18n import MAX_MESSAGE, Message, shorten, user_language

B = TypeVar("B", bound="BilingualException")


class BilingualException(Exception):
    """Base class of exceptions with a message in English and Spanish, shown in the user's language.

    Args:
        en: the message in English.
        es: the message in Spanish; None: the same as `en`.
        item: index, from 0, of the input that the message concerns; None: it concerns no single input.
    """

    separator = ": "  # between the item and the message

    def __init__(self, en: str, es: str | None = None, *, item: int | None = None):
        # a message may quote a file or another library's error, of any length
        super().__init__(*(shorten(text, MAX_MESSAGE) for text in (en, en if es is None else es)))
        self.item = item

    def in_(self, lang: str, place: Message | None = None) -> str:
        """Return the exception's message in English or Spanish, with the name of the item that it concerns.

        Args:
            lang: a language code: "es", "es-MX" … for Spanish, any other for English.
            place: the name of the item in the message; by default "item 3".
        """
        lang = lang[:2].lower()
        text: str = self.args[lang == "es"]
        if self.item is None:
            return text
        place = Message(f"item {self.item}", f"el elemento {self.item}") if place is None else place
        return f"{place.in_(lang)}{self.separator}{text}"

    def within(self: B, en: str, es: str | None = None) -> B:
        """Return a copy of the error whose message begins with the error's place, such as a file's name."""
        es = en if es is None else es
        return type(self)(f"{en}: {self.args[0]}", f"{es}: {self.args[1]}", item=self.item)

    def __str__(self) -> str:
        return self.in_(user_language())


def message_of(error: BaseException) -> Message:
    """Return an exception's message in English and Spanish, with equal texts for exceptions of other libraries."""
    if isinstance(error, BilingualException):
        return Message(error.in_("en"), error.in_("es"))
    return Message.same(str(error))


class GatonegroError(BilingualException):
    """Base class of all errors that this library raises on purpose."""


class InputError(GatonegroError, ValueError):
    """Error for an invalid text, batch or argument."""


class RowError(InputError):
    """Error for one invalid input row, with a message such as "item 3 is empty"."""

    separator = " "  # the message is a predicate of the item, such as "is empty"


class LanguageMismatchError(RowError):
    """Error for a text in a language that the model does not support, raised with `language_check="error"`."""


class ConfigError(GatonegroError, ValueError):
    """Error for a `config.json` that is incomplete, contradictory or of an unknown architecture."""


class CheckpointError(GatonegroError, ValueError):
    """Error for unusable weights: damaged, incomplete, of a wrong shape or of another model."""


class PickleRefusedError(CheckpointError):
    """Error for pickled weights, which can execute code when loaded and need `allow_pickle=True`."""


class MissingHeadError(CheckpointError):
    """Error for a checkpoint without weights for the requested head."""


class TokenizerError(GatonegroError, ValueError):
    """Error for missing, damaged or inconsistent tokenizer files."""


class HubError(GatonegroError, OSError):
    """Error for a model, or one of its files, that cannot be found or downloaded."""

    def __init__(self, en: str, es: str | None = None, *, item: int | None = None):
        super().__init__(en, es, item=item)
        self.errno = self.strerror = None  # which OSError sets if it is given two arguments


class MissingExtraError(GatonegroError, ImportError):
    """Error for a missing optional dependency, with a message that names the extra to install."""


class OptionError(GatonegroError, TypeError):
    """Error for an unknown keyword argument, or one with an invalid value."""


class GatonegroWarning(BilingualException, UserWarning):
    """Warning about an answer, for example that its text was truncated."""

    separator = " "  # the message is a predicate, as of RowError


class LanguageMismatchWarning(GatonegroWarning):
    """Warning that texts are in a language that the model does not support, so that its answers are unreliable."""


class DoubtWarning(GatonegroWarning):
    """Warning that a translation may be wrong."""


def warn(warning: GatonegroWarning, stacklevel: int = 1) -> None:
    """Issue a warning as `warnings.warn` does, but as plain output in a notebook, where stderr looks like an error.

    None is issued if `logging.set_verbosity` allows for errors only.
    """
    from logging import WARNING, getLogger  # here, for a light start

    if getLogger("gatonegro").level > WARNING:
        return
    # other code receives the warnings: by catch_warnings(record=True), or by a function in place of showwarning
    recorded = isinstance(getattr(warnings, "_showwarnmsg_impl", None), types.BuiltinMethodType)
    replaced = getattr(warnings.showwarning, "__module__", "") not in ("warnings", "_py_warnings")
    if recorded or replaced or not is_notebook():
        warnings.warn(warning, stacklevel=stacklevel + 1)
        return
    with warnings.catch_warnings(record=True) as shown:  # by the user's filters
        warnings.warn(warning, stacklevel=stacklevel + 1)
    for item in shown:
        print_notice(str(item.message))


def print_notice(text: str) -> None:
    """Print a message for the user to stderr, or show it as plain output in a notebook."""
    if is_notebook():
        import html

        page = f'<div style="border-left: 3px solid #888; padding-left: 8px">gatonegro: {html.escape(text)}</div>'
        sys.modules["IPython"].display.display({"text/plain": f"gatonegro: {text}", "text/html": page}, raw=True)
    elif sys.stderr is not None:  # None under pythonw
        print(f"gatonegro: {text}", file=sys.stderr)


def is_notebook() -> bool:
    """Return True if this code runs in a kernel of Jupyter, Colab or the like."""
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
