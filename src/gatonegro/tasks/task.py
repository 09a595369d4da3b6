"""`Task`, a record of the pure functions that define a task, which the loop in `pipelines` calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from gatonegro.checks import Check, Option, optional, whole
from gatonegro.compat.border import ARGUMENTS, translate
from gatonegro.config import Config
from gatonegro.errors import InputError, OptionError
from gatonegro.i18n import Message, catalog
from gatonegro.text_model import TextModel
from gatonegro.tokenization import Tokenizer

# the task "translation" with its languages
TASK_NAME_PATTERN = re.compile(r"translation_([a-z]{2,3}(?:_[A-Za-z]+)?)_to_([a-z]{2,3}(?:_[A-Za-z]+)?)")
MAX_LENGTH = optional(whole(1))
# options that have options of the tokenizer, which are the task's here; all but padding, which changes no answer
TOKENIZER_OPTIONS = "tokenizer_kwargs", "tokenize_kwargs", "tokenizer_encode_kwargs"
NESTED = optional(Check(lambda x: isinstance(x, Mapping), Message("a dict of options", "un dict de opciones")))
NOTICES, MESSAGES = (catalog(Path(__file__).with_name(f"{name}.json")) for name in ("notices", "messages"))


@dataclass(frozen=True)
class Notice:
    """Remark on a pipeline's answer, such as that its text was truncated.

    A pipeline warns once of each `kind`. The `message` is a predicate, to follow "item 3".
    """

    kind: str
    message: Message


def notice(kind: str, **values: Any) -> Notice:
    """Return a `Notice` of a kind in `notices.json`, with values filled into its message."""
    return Notice(kind, NOTICES[kind].format(**values))


@dataclass(frozen=True)
class Encoded:
    """Token sequences of input rows, where a text too long for the model is split into several sequences."""

    ids: Sequence[Sequence[int]]
    row_of: Sequence[int]  # row of each sequence
    max_length: int  # of a sequence, in tokens
    token_types: Sequence[Sequence[int]] | None = None  # left out if the model has no embeddings of them
    queried: Sequence[Sequence[int]] | None = None  # tokens of each sequence that need an output; None: the whole
    row_data: Sequence[Any] | None = None  # per row, data for `decode`
    errors: Mapping[int, InputError] = field(default_factory=dict)  # of unreadable rows, which have no sequence
    notices: Mapping[int, Sequence[Notice]] = field(default_factory=dict)  # per row
    options: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)  # of sequences that need others than the row
    windows: bool = True  # several sequences of a row are windows of a long text


@dataclass(frozen=True)
class RowOutput:
    """Model outputs for one input row, with the data needed to decode them to an answer."""

    row: Any
    answers: list[Any]  # per window, the result of `generate`, or an array: (labels,) or, of queried tokens, (m, …)
    lengths: list[int]  # tokens per window
    data: Any = None  # the row's entry in `Encoded.row_data`
    notices: list[Notice] = field(default_factory=list)  # `decode` may append to it


def columns(answer: Any) -> Mapping[str, Any]:
    """Return an answer's dict as a row of a table; those of several answers are joined, with a list per column."""
    if isinstance(answer, Mapping):
        return answer
    rows = [columns(part) for part in answer]
    if len(rows) == 1:
        return rows[0]
    return {name: [row.get(name) for row in rows] for name in dict.fromkeys(chain(*rows))}


def one_input(args: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the single input of a call and its options, or raise OptionError if it has none or several."""
    others = dict(options)
    inputs = [*args, *([others.pop("inputs")] if "inputs" in others else [])]
    if len(inputs) != 1:
        raise OptionError(*MESSAGES["one_input"].format(count=len(inputs)))
    return inputs[0], others


@dataclass(frozen=True, eq=False)  # hashable
class Task:
    """Definition of a pipeline's task by pure functions that check, encode, run and decode input rows.

    `options`: keyword → default and check. The border's tables name others that `transformers` has.
    `precision`: the default of `pipeline(…, precision=)`.
    `arguments(args, options)` → a call's input rows and its options, from its positional arguments and its keywords.
    `is_single(inputs, options)` → True if a user's input is one row, and not a list of rows.
    `check(row, options)` raises RowError for a row that the task cannot read.
    `encode(tokenizer, config, rows, options)` → `Encoded`. It stores the error of an unreadable row there, or raises a
    RowError with the row's `item`.
    `predict`: the name of the model's method that runs it, "predict" or "embed", or a function
    `predict(model, ids, token_types=…, queried=…, pad_to_multiple_of=…)` → one float32 array per sequence; with
    `queried`, one entry per queried token.
    `generate(model, tokenizer, ids, options)` → a list of `Generated` per sequence; replaces `predict`.
    `retry(tokenizer, config, encoded, answers, options)` → `Encoded` with further sequences appended, to be run too. It
    is called again with their answers, until it appends none.
    `decode(tokenizer, config, output, options)` → the user's answer for one row.
    `wrap(inputs, answers, call_options)` → the user's answer for a whole call.
    `columns(config, answer)` → the answer as a row of a table, by name of column.
    `column_names(config, options)` → the columns that every row of a table has.
    """

    name: str
    head: str
    check: Callable[[Any, Mapping[str, Any]], None]
    encode: Callable[[Tokenizer, Config, Sequence[Any], Mapping[str, Any]], Encoded]
    decode: Callable[[Tokenizer, Config, RowOutput, Mapping[str, Any]], Any]
    predict: str | Callable[..., list[np.ndarray]] | None = None
    generate: Callable[[TextModel, Tokenizer, Sequence[Sequence[int]], Mapping[str, Any]], list[Any]] | None = None
    retry: Callable[[Tokenizer, Config, Encoded, Mapping[int, Any], Mapping[str, Any]], Encoded] | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    column_names: Callable[[Config, Mapping[str, Any]], Iterable[str]] = lambda config, options: ()
    example_model: str = ""  # a model on the hub, where no built-in one exists
    precision: str = "auto"
    arguments: Callable[[tuple[Any, ...], Mapping[str, Any]], tuple[Any, dict[str, Any]]] = one_input
    is_single: Callable[[Any, Mapping[str, Any]], bool] = lambda inputs, options: isinstance(inputs, str | Mapping)
    wrap: Callable[[Any, Any, Mapping[str, Any]], Any] = lambda inputs, answers, call_options: answers
    columns: Callable[[Config, Any], Mapping[str, Any]] = lambda config, answer: columns(answer)

    @property
    def defaults(self) -> dict[str, Any]:
        """The default values of the task's options, by name."""
        return {name: option.default for name, option in self.options.items()}

    @property
    def class_name(self) -> str:
        """The name of the task's pipeline class, such as "TextClassificationPipeline"."""
        return self.name.title().replace("-", "") + "Pipeline"

    def translate(self, options: Mapping[str, Any], takes_others: bool = True) -> dict[str, Any]:
        """Return a call's options by our names, with others as they are or, without `takes_others`, an OptionError."""
        rows = {**ARGUMENTS["Pipeline.__call__"], **ARGUMENTS.get(f"{self.class_name}.__call__", {})}
        return translate(self.name, rows, options, {*self.options}, takes_others)

    def validate_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return a call's options by our names, or raise OptionError if one is unknown or has an invalid value."""
        options = dict(options)
        for values in [NESTED(name, options.pop(name)) for name in TOKENIZER_OPTIONS if name in options]:
            options |= {name: value for name, value in (values or {}).items() if name != "padding"}
        options = self.translate(options, takes_others=False)
        for name, value in options.items():
            if value is not self.options[name].default:
                self.options[name].check(name, value)
        return options


def wants_truncation(options: Mapping[str, Any]) -> bool:
    """Return True if the options ask for long texts to be truncated."""
    return options["truncation"] not in (False, None, "do_not_truncate")
