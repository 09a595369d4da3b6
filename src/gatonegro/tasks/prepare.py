"""Preprocessed texts, and the offsets of the user's text that they came from."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

from gatonegro.checks import surrogate_problem
from gatonegro.errors import InputError, OptionError
from gatonegro.models import Model
from gatonegro.preprocessing import KEY, PREPROCESS, known_emoji, preprocessing_of
from gatonegro.tokenization import Tokenizer

Change = Callable[[str], str]
WORD = re.compile(r"\S+")


class Prepared(str):
    """A preprocessed text that maps its offsets back to the original."""

    original: str
    change: Change

    def __new__(cls, original: str, change: Change) -> Prepared:
        new = super().__new__(cls, changed(original, change))
        new.original, new.change = original, change
        return new

    @cached_property
    def _words(self) -> tuple[list[int], list[tuple[int, int, bool]]]:
        """Starts of the original's words in this text, and their (start, end, is unchanged) in the original.

        A word of theirs may be several here, and none. If the words, each changed by itself, are not those of the
        whole, there is one entry: all comes from all.
        """
        here = list(WORD.finditer(self))
        starts: list[int] = []
        places: list[tuple[int, int, bool]] = []
        at = 0
        for found in WORD.finditer(self.original):
            parts = WORD.findall(changed(found[0], self.change))
            if parts != [one[0] for one in here[at : at + len(parts)]]:
                break
            if parts:
                starts.append(here[at].start())
                places.append((found.start(), found.end(), parts == [found[0]]))
                at += len(parts)
        else:
            if at == len(here):
                return starts, places
        return [0], [(0, len(self.original), False)]

    def back(self, start: int, end: int) -> tuple[int, int]:
        """Return the span in the original of `self[start:end]`; for part of a changed word, the whole word."""
        starts, places = self._words
        if not places or start >= end:
            return 0, 0
        while start < end - 1 and self[start].isspace():
            start += 1
        first, last = (max(bisect_right(starts, i) - 1, 0) for i in (start, end - 1))
        begin, _, same = places[first]
        stop, finish, last_same = places[last]
        return (
            begin + start - starts[first] if same else begin,
            min(stop + end - starts[last], finish) if last_same else finish,
        )


def changed(text: str, change: Change) -> str:
    """Return a text as `change` returns it.

    InputError: it returns something else than a text, or raises.
    """
    try:
        new = change(text)
    except MemoryError:
        raise
    except Exception as error:  # whatever a user's function raises is the row's
        raise InputError(
            f"preprocess= failed for the text {text!r:.40}: {error!r:.200}",
            f"preprocess= falló con el texto {text!r:.40}: {error!r:.200}",
        ) from error
    if not isinstance(new, str):
        kind = type(new).__name__
        raise InputError(
            f"preprocess= gave {kind} for the text {text!r:.40}, and a model reads str; let it return one.",
            f"preprocess= dio {kind} para el texto {text!r:.40}, y un modelo lee str; haz que devuelva uno.",
        )
    if bad := surrogate_problem(new):
        raise InputError(f"preprocess= gave a text with {bad.en}", f"preprocess= dio un texto con {bad.es}")
    return new


def change_of(model: Model, tokenizer: Tokenizer, asked: str | Change | None) -> Change | None:
    """Return the transform of texts: the requested one, or for "auto" the one that the model needs.

    OptionError: a name that `PREPROCESS` does not have.
    """
    if asked is None:
        return None
    if callable(asked):
        return asked
    name = preprocessing_of(model.name_or_path, model.config.extra.get(KEY)) if asked == "auto" else asked
    if name is None:
        return None
    if not isinstance(name, str) or name not in PREPROCESS:
        known = ", ".join(PREPROCESS)
        raise OptionError(
            f"preprocess must be 'auto', None, a function or one of {known}, not {name!r:.80}.",
            f"preprocess debe ser 'auto', None, una función o uno de {known}, no {name!r:.80}.",
        )
    if name == "spell-emoji":
        return partial(PREPROCESS[name], known=known_emoji(tokenizer.get_vocab()))
    return PREPROCESS[name]


def prepared(row: Any, change: Change) -> Any:
    """Return a text, or a dict of texts, changed; a list of words stays as it is."""
    if isinstance(row, str):
        return Prepared(row, change)
    if isinstance(row, Mapping):
        return {key: changed(value, change) if isinstance(value, str) else value for key, value in row.items()}
    return row
