"""`Task`: one record of pure functions. The loop that calls them is in `pipelines`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from gatonegro.checks import Option, optional, whole
from gatonegro.config import Config
from gatonegro.errors import InputError, OptionError
from gatonegro.i18n import EMPTY, Message, catalog
from gatonegro.models import Model
from gatonegro.tokenization import Tokenizer

LENGTH = optional(whole(1))
# options of transformers that have another name here
HINTS = {
    "return_all_scores": "top_k=None",
    "grouped_entities": 'aggregation_strategy="simple"',
    "ignore_subwords": 'aggregation_strategy="first"',
    "device_map": "device=",
    "tokenizer_kwargs": "max_length= and truncation=",
    "tokenize_kwargs": "max_length= and truncation=",
}


NOTICES = catalog(Path(__file__).with_name("notices.json"))


@dataclass(frozen=True)
class Notice:
    """Something that a reader of an answer should know: that the text was cut, for example.

    kind: what it is about; a pipeline warns once of each kind. `notice` makes one from `notices.json`.
    message: a predicate, to follow "item 3".
    """

    kind: str
    message: Message


def notice(kind: str, **values: Any) -> Notice:
    """Return the notice of a kind, with the values that its message names."""
    return Notice(kind, NOTICES[kind].format(**values))


@dataclass(frozen=True)
class Encoded:
    """The sequences of some rows. A row too long for the model is several sequences, its windows, in order."""

    ids: Sequence[Sequence[int]]
    row_of: Sequence[int]  # the row that each sequence is a window of
    limit: int  # tokens that a sequence may have
    token_types: Sequence[Sequence[int]] | None = None
    queried: Sequence[Sequence[int]] | None = None  # tokens of each sequence to answer for; None: it as a whole
    notes: Sequence[Any] | None = None  # per row, what its `decode` must know
    errors: Mapping[int, InputError] = field(default_factory=dict)  # rows that cannot be read; they own no sequence
    notices: Mapping[int, Sequence[Notice]] = field(default_factory=dict)  # per row


@dataclass(frozen=True)
class RowOutput:
    """The answers of a model for one row."""

    row: Any
    answers: list[Any]  # per window, what `generate` returned or an array: (labels,) or, of queried tokens, (m, …)
    lengths: list[int]  # tokens per window
    note: Any = None
    notices: list[Notice] = field(default_factory=list)  # to which `decode` may add


@dataclass(frozen=True)
class Task:
    """A task: the rows it reads, what it computes with a model, the answers it returns.

    `options`: keyword → default and check.
    `single(inputs, options)`: whether what a user passes is one row, and not a list of rows.
    `check(row, options)` raises RowError for a row that the task cannot read.
    `encode(tokenizer, config, rows, options)` → `Encoded`. Of a row that cannot be read, it puts the error there or
    raises a RowError that names it.
    `ask(model, ids, token_types=…, queried=…, pad_to_multiple_of=…)` → per sequence a float32 array, `Model.predict`
    say; with `queried`, one entry per token that it names.
    `generate(model, tokenizer, ids, options)` → per sequence a list of `Generated`; in the place of `ask`.
    `retry(tokenizer, config, encoded, answers, options)` → `Encoded` with further sequences behind, to be asked too.
    `decode(tokenizer, config, output, options)` → what the user gets for one row.
    `wrap(inputs, answers, called_with)` → what the user gets for all that was passed.
    """

    name: str
    head: str
    check: Callable[[Any, Mapping[str, Any]], None]
    encode: Callable[[Tokenizer, Config, Sequence[Any], Mapping[str, Any]], Encoded]
    decode: Callable[[Tokenizer, Config, RowOutput, Mapping[str, Any]], Any]
    ask: Callable[..., list[np.ndarray]] | None = None
    generate: Callable[[Model, Tokenizer, Sequence[Sequence[int]], Mapping[str, Any]], list[Any]] | None = None
    retry: Callable[[Tokenizer, Config, Encoded, Mapping[int, Any], Mapping[str, Any]], Encoded] | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    example: str = ""  # a model on the hub, where there is no built-in one
    single: Callable[[Any, Mapping[str, Any]], bool] = lambda inputs, options: isinstance(inputs, str | Mapping)
    wrap: Callable[[Any, Any, Mapping[str, Any]], Any] = lambda inputs, answers, called_with: answers

    @property
    def defaults(self) -> dict[str, Any]:
        return {name: option.default for name, option in self.options.items()}

    def validate_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options; OptionError: one is not known, or cannot have its value."""
        for name, value in options.items():
            if name not in self.options:
                hint = HINTS.get(name) or next(iter(get_close_matches(name, self.options, 1)), None)
                known = ", ".join(sorted(self.options))
                if len(self.options) > 30:  # of `generate`, say
                    known = ", ".join([*get_close_matches(name, self.options, 6, 0.3), "…"])
                close = Message(f"try {hint}; ", f"prueba {hint}; ") if hint else EMPTY
                raise OptionError(
                    f"{self.name} does not know the option {name!r:.80}; {close.en}it knows {known}, and pipeline() "
                    "what its help says.",
                    f"{self.name} no conoce la opción {name!r:.80}; {close.es}conoce {known}, y pipeline() lo que dice "
                    "su ayuda.",
                )
            if value is not self.options[name].default:
                self.options[name].check(name, value)
        return dict(options)


def truncates(options: Mapping[str, Any]) -> bool:
    """Return True if the user asked for long texts to be cut."""
    return options["truncation"] not in (False, None, "do_not_truncate")
