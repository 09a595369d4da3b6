"""Texts as a model wants them, and the way back to the text that the user has."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

from gatonegro.errors import InputError, OptionError
from gatonegro.models import Model
from gatonegro.preprocessing import KEY, PREPROCESS, known_emoji, preprocessing_of
from gatonegro.tokenization import Tokenizer

Change = Callable[[str], str]
WORD = re.compile(r"\S+")


class Prepared(str):
    """A text that was changed before it is read, and which place of the user's text each of its places comes from."""

    original: str
    change: Change

    def __new__(cls, original: str, change: Change) -> Prepared:
        new = super().__new__(cls, changed(original, change))
        new.original, new.change = original, change
        return new

    @cached_property
    def _words(self) -> tuple[list[int], list[tuple[int, int, bool]]]:
        """Where each of the user's words begins in the changed text; where it stands in theirs; if it is unchanged.

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
        """The place in the user's text of `self[start:end]`; of part of a word that was changed, the whole word."""
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
    """A text as `change` gives it.

    InputError: it gives something else than a text.
    """
    new = change(text)
    if not isinstance(new, str):
        kind = type(new).__name__
        raise InputError(
            f"preprocess= gave {kind} for the text {text!r:.40}, and a model reads str; let it return one.",
            f"preprocess= dio {kind} para el texto {text!r:.40}, y un modelo lee str; haz que devuelva uno.",
        )
    return new


def change_of(model: Model, tokenizer: Tokenizer, asked: str | Change | None) -> Change | None:
    """What is done to a text before it is read: what was asked for; by default ("auto") what the model wants.

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
    """A text, or a dict of texts, changed. A list of words is left as it is: whoever split the text has read it."""
    if isinstance(row, str):
        return Prepared(row, change)
    if isinstance(row, Mapping):
        return {key: changed(value, change) for key, value in row.items()}
    return row
