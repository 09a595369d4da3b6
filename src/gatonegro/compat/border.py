"""`accepts`, which lets a function take the arguments of its counterpart in `transformers`."""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from gatonegro.checks import ANYTHING, Check, one_of, short_repr
from gatonegro.errors import OptionError
from gatonegro.i18n import EMPTY, Message, catalog

HERE = Path(__file__).parent
MESSAGES = catalog(HERE / "messages.json")
# function → argument of its counterpart in transformers → row
ARGUMENTS: dict[str, dict[str, dict[str, Any]]] = json.loads((HERE / "arguments.json").read_text(encoding="utf-8"))
# pattern of names that are not here → message; the first that matches a whole name counts
NAMES: dict[str, str] = json.loads((HERE / "names.json").read_text(encoding="utf-8"))
LONGEST_NAME = 200  # characters

F = TypeVar("F", bound=Callable[..., Any])


def accepts(table: str) -> Callable[[F], F]:
    """Return a decorator of a function that takes, by name, the arguments of its counterpart in `transformers`.

    Args:
        table: the function's name in `arguments.json`.
    """
    rows = ARGUMENTS[table]

    def decorate(function: F) -> F:
        parameters = inspect.signature(function).parameters
        own, takes_others = {*parameters} - {"self", "cls"}, any(p.kind is p.VAR_KEYWORD for p in parameters.values())

        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            if not options.keys() <= own:
                options = translate(table, rows, options, own, takes_others)
            return function(*args, **options)

        return call  # type: ignore[return-value]

    return decorate


def translate(
    table: str, rows: Mapping[str, Mapping[str, Any]], options: Mapping[str, Any], own: set[str], takes_others: bool
) -> dict[str, Any]:
    """Return the arguments of a call by our names, without those that have no effect.

    Args:
        table: the name of the function, for messages.
        rows: its rows in `arguments.json`.
        options: the arguments, by the names of `transformers` or by ours.
        own: the names of the function's parameters.
        takes_others: True if the function checks other names itself.

    Raises:
        OptionError: an argument is unknown or not supported, or is given by two names.
    """
    out: dict[str, Any] = {}
    for name, value in options.items():
        row = rows.get(name)
        if name in own or (row is None and takes_others):
            target = name
        elif row is None:
            raise unknown(table, name, own)
        elif "as" in row:
            target = row["as"]
        else:
            check_of(row)(name, value)
            continue
        if target in out:
            raise OptionError(*MESSAGES["twice"].format(name=name, other=target))
        out[target] = value
    return out


def unknown(function: str, name: str, known: Iterable[str]) -> OptionError:
    """Return the error for an argument that a function does not know, with the most similar of the known names."""
    hint, names = did_you_mean(name, known), sorted(known)
    if not hint.en and len(names) < 30:
        hint = MESSAGES["known"].format(names=", ".join(names))
    return OptionError(*MESSAGES["unknown"].format(function=function, name=name, hint=hint))


def did_you_mean(name: str, known: Iterable[str]) -> Message:
    """Return the question whether the most similar of the known names is meant, or nothing if none is similar."""
    from difflib import get_close_matches  # here, for a light start

    close = next(iter(get_close_matches(name, known, 1, 0.7)), None)
    return Message(f" Did you mean {close}=?", f" ¿Querías decir {close}=?") if close else EMPTY


class IdleCheck(Check):
    """Check of an argument that is not supported, which accepts the values that have no effect in `transformers`."""

    def message(self, name: str, value: Any) -> Message:
        """Return the error message for any other value, with what to use instead."""
        return MESSAGES["refused"].format(name=name, value=short_repr(value), why=self.expected)


def check_of(row: Mapping[str, Any]) -> Check:
    """Return the check of an argument's value, by the argument's row."""
    idle = row.get("idle", [])
    if idle is True:
        return ANYTHING
    return IdleCheck(one_of(*idle).test if idle else lambda value: False, MESSAGES[row["refused"]])


@functools.cache
def patterns() -> dict[re.Pattern[str], str]:
    """Return `NAMES` with compiled patterns."""
    return {re.compile(pattern): key for pattern, key in NAMES.items()}


def refusal(name: str) -> Message | None:
    """Return what to use instead of a name of `transformers` that this library does not have, or None if unknown."""
    # Python asks objects for names such as __setstate__; some patterns take quadratic time
    if name.endswith("__") or len(name) > LONGEST_NAME:
        return None
    key = next((key for pattern, key in patterns().items() if pattern.fullmatch(name)), None)
    return None if key is None else MESSAGES["no_name"].format(name=name, instead=MESSAGES[key])
