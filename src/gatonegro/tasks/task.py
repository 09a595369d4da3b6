"""What a task is: one record of pure functions. The loop that calls them is in `loop`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from gatonegro.config import Config
from gatonegro.errors import InputError, OptionError
from gatonegro.models import Model
from gatonegro.packing import Packed
from gatonegro.tokenization import Tokenizer


@dataclass(frozen=True)
class Encoded:
    """The sequences of some rows. A row too long for the model is several sequences, its windows, in order."""

    ids: Sequence[Sequence[int]]
    owners: Sequence[int]  # the row that each sequence is a window of
    limit: int  # tokens that a sequence may have
    segments: Sequence[Sequence[int]] | None = None
    cut: Sequence[int] = ()  # rows that lost their end, though nobody asked for that


@dataclass(frozen=True)
class Task:
    """A task by name: what it reads, what it asks of a model, what it answers.

    `encode(tokenizer, config, rows, options)` → `Encoded`.
    `ask(model, packed)` → a tensor with one entry a sequence.
    `decode(config, answers, weights, options)` → what the user gets for one row, from what was said of its windows
    `answers` (w, …), and their token counts `weights` (w,).
    `check(row)` refuses a row that is no input for the task.
    """

    name: str
    head: str
    check: Callable[[Any], None]
    encode: Callable[[Tokenizer, Config, Sequence[Any], Mapping[str, Any]], Encoded]
    ask: Callable[[Model, Packed], Tensor]
    decode: Callable[[Config, Tensor, Tensor, Mapping[str, Any]], Any]
    options: Mapping[str, Any] = field(default_factory=dict)  # keyword → default
    allowed: Mapping[str, tuple[Callable[[Any], bool], str]] = field(default_factory=dict)  # keyword → test, in words
    model: str | None = None  # the built-in one
    wrap: Callable[[Any, Any, Mapping[str, Any]], Any] = lambda row, answer, called_with: answer

    def known(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options, if the task knows them all and can take their values."""
        for name, value in options.items():
            if name not in self.options:
                raise OptionError(
                    f"{self.name} does not know the option {name!r}; it knows {', '.join(sorted(self.options))}."
                )
            fits, wanted = self.allowed.get(name, (lambda value: True, ""))
            if not fits(value):
                raise OptionError(f"{name} must be {wanted}, not {value!r}.")
        return dict(options)


def whole(least: int) -> Callable[[Any], bool]:
    """Whether a value is a whole number of at least `least`."""
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def check_text(value: Any, what: str = "a text") -> None:
    """Refuse what is not a str, saying what it is and what to do."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"{what} with a lone surrogate, {value[error.start]!r}, at character {error.start}, which no file can "
                "hold; read its file with the right encoding, or use text.encode('utf-8', 'replace').decode()."
            ) from None
        return
    kind = type(value).__name__
    if value is None or kind in ("NAType", "NaTType") or (isinstance(value, float) and math.isnan(value)):
        raise InputError(f"{value!r}, a missing value, where {what} is wanted; drop the row, or pass ''.")
    if isinstance(value, bytes):
        raise InputError(f"bytes where {what} is wanted; decode them first: value.decode('utf-8').")
    shown = str(value)[:40] if isinstance(value, int | float) and abs(value) < 1e18 else ""
    raise InputError(f"{' '.join(filter(None, (kind, shown)))} where {what} is wanted; pass a str.")
