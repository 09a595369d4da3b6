"""What a task is: one record of pure functions. The loop that calls them is in `loop`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from torch import Tensor

from gatonegro.config import Config
from gatonegro.errors import InputError, OptionError
from gatonegro.generation import Written
from gatonegro.models import Model
from gatonegro.packing import Packed
from gatonegro.tokenization import Tokenizer

# what a value may be: a test, and the same in words, English and Spanish
Allowed = tuple[Callable[[Any], bool], tuple[str, str]]
ANYTHING: Allowed = (lambda value: True, ("anything", "cualquier cosa"))
FLAG: Allowed = (lambda value: isinstance(value, bool), ("True or False", "True o False"))
LENGTH: Allowed = (
    lambda n: n is None or whole(1)(n),
    ("a whole number of at least 1, or None", "un número entero, 1 o más, o None"),
)
# options of transformers that have another name here
HINTS = {
    "return_all_scores": "top_k=None",
    "grouped_entities": 'aggregation_strategy="simple"',
    "ignore_subwords": 'aggregation_strategy="first"',
    "device_map": "device=",
    "tokenizer_kwargs": "max_length= and truncation=",
    "tokenize_kwargs": "max_length= and truncation=",
}


@dataclass(frozen=True)
class Encoded:
    """The sequences of some rows. A row too long for the model is several sequences, its windows, in order."""

    ids: Sequence[Sequence[int]]
    owners: Sequence[int]  # the row that each sequence is a window of
    limit: int  # tokens that a sequence may have
    segments: Sequence[Sequence[int]] | None = None
    cut: Sequence[int] = ()  # rows that lost their end, though nobody asked for that
    asked: Sequence[Sequence[int]] | None = None  # tokens of each sequence that are asked about; None: it as a whole
    notes: Sequence[Any] | None = None  # of each row, what its `decode` must know


@dataclass(frozen=True)
class Said:
    """What a model said of one row."""

    row: Any
    answers: list[
        Any
    ]  # one a window, what `write` gave or a tensor: () or (labels,) …, or (m, …) of the tokens that were asked about
    lengths: list[int]  # tokens of each window
    note: Any = None


@dataclass(frozen=True)
class Task:
    """A task by name: what it reads, what it asks of a model, what it answers.

    `single(inputs, options)`: whether what a user passes is one row, and no list of rows.
    `check(row, options)` refuses a row that is no input for the task.
    `encode(tokenizer, config, rows, options)` → `Encoded`.
    `write(model, tokenizer, ids, options)` → of each sequence, what the model writes; in the place of `ask`.
    `again(tokenizer, config, encoded, answers, options)` → `Encoded` with further sequences behind, to be asked too.
    `ask(model, packed, at)` → a tensor with one entry a sequence or, where `Encoded.asked` names tokens, one for each
    of these: rows `at` (m,) of the packed ones.
    `decode(tokenizer, config, said, options)` → what the user gets for one row.
    `wrap(inputs, answers, called_with)` → what the user gets for all that was passed.
    """

    name: str
    head: str
    check: Callable[[Any, Mapping[str, Any]], None]
    encode: Callable[[Tokenizer, Config, Sequence[Any], Mapping[str, Any]], Encoded]
    decode: Callable[[Tokenizer, Config, Said, Mapping[str, Any]], Any]
    ask: Callable[[Model, Packed, Tensor | None], Tensor] | None = None
    write: Callable[[Model, Tokenizer, Sequence[Sequence[int]], Mapping[str, Any]], list[list[Written]]] | None = None
    again: Callable[[Tokenizer, Config, Encoded, Mapping[int, Any], Mapping[str, Any]], Encoded] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # keyword → default
    allowed: Mapping[str, Allowed] = field(default_factory=dict)
    model: str | None = None  # the built-in one
    example: str = ""  # where there is none: a model on the hub, as an example
    single: Callable[[Any, Mapping[str, Any]], bool] = lambda inputs, options: isinstance(inputs, str | Mapping)
    wrap: Callable[[Any, Any, Mapping[str, Any]], Any] = lambda inputs, answers, called_with: answers

    def known(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options, if the task knows them all and can take their values."""
        for name, value in options.items():
            if name not in self.options:
                hint = HINTS.get(name) or next(iter(get_close_matches(name, self.options, 1)), None)
                known = ", ".join(sorted(self.options))
                if len(self.options) > 30:  # of `generate`, say
                    known = ", ".join([*get_close_matches(name, self.options, 6, 0.3), "…"])
                raise OptionError(
                    f"{self.name} does not know the option {name!r}; " + (f"try {hint}; " if hint else "")
                        + f"it knows {known}, and pipeline() what its help says.",
                        f"{self.name} no conoce la opción {name!r}; " + (f"prueba {hint}; " if hint else "")
                        + f"conoce {known}, y pipeline() lo que dice su ayuda."
                )  # fmt: skip
            fits, wanted = self.allowed.get(name, ANYTHING)
            if not fits(value):
                en, es = wanted
                raise OptionError(
                    f"{name} must be {en}, not {value!r:.80}.", f"{name} debe ser {es}, no {value!r:.80}."
                )
        return dict(options)


def truncates(options: Mapping[str, Any]) -> bool:
    """Whether the user said that long texts are to lose their end."""
    return options["truncation"] not in (False, None, "do_not_truncate")


def whole(least: int) -> Callable[[Any], bool]:
    """Whether a value is a whole number of at least `least`."""
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def check_text(value: Any, what: tuple[str, str] = ("a text", "un texto")) -> None:
    """Refuse what is not a str, saying what it is and what to do."""
    en, es = what
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            bad, place = value[error.start], error.start
            raise InputError(
                f"{en} with a lone surrogate, {bad!r}, at character {place}, which no file can hold; read its file "
                "with the right encoding, or use text.encode('utf-8', 'replace').decode().",
                f"{es} con un sustituto suelto, {bad!r}, en el carácter {place}, que no cabe en ningún archivo; "
                "lee el tuyo con su codificación, o usa text.encode('utf-8', 'replace').decode().",
            ) from None
        return
    kind = type(value).__name__
    if value is None or kind in ("NAType", "NaTType") or (isinstance(value, float) and math.isnan(value)):
        raise InputError(
            f"{value!r}, a missing value, where {en} is wanted; drop the row, or pass ''.",
            f"{value!r}, un valor que falta, donde hace falta {es}; quita la fila, o pasa ''.",
        )
    if isinstance(value, bytes):
        raise InputError(
            f"bytes where {en} is wanted; decode them first: value.decode('utf-8').",
            f"bytes donde hace falta {es}; descodifícalos antes: value.decode('utf-8').",
        )
    number = f" {value}"[:40] if isinstance(value, int | float) and abs(value) < 1e18 else ""
    raise InputError(
        f"{kind}{number} where {en} is wanted; pass a str.", f"{kind}{number} donde hace falta {es}; pasa un str."
    )
