"""Validation of the values that a user passes: checks for options, and error messages in English and Spanish."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from reprlib import Repr
from typing import Any

from gatonegro.errors import CheckpointError, InputError, OptionError, RowError
from gatonegro.i18n import Message, catalog

MESSAGES = catalog(Path(__file__).with_name("checks.json"))
_REPR = Repr()
_REPR.maxlevel, _REPR.maxother, _REPR.maxstring, _REPR.maxlong = 2, 80, 80, 80
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = _REPR.maxset = 20


def short_repr(value: Any, limit: int = 80) -> str:
    """Return the first `limit` characters of a value's repr, without building the whole repr of a large value."""
    try:
        return _REPR.repr(value[:limit] if isinstance(value, str | bytes | bytearray) else value)[:limit]
    except ValueError:  # an int with more digits than Python converts
        return f"<{type(value).__name__}>"


@dataclass(frozen=True)
class Check:
    """Condition on an option's value, with a description for error messages such as "name must be <expected>"."""

    test: Callable[[Any], bool]
    expected: Message

    def message(self, name: str, value: Any) -> Message:
        """Return the error message, in English and Spanish, for a value that does not meet a check's condition."""
        return MESSAGES["condition"].format(name=name, expected=self.expected, actual=short_repr(value))

    def __call__(self, name: str, value: Any) -> Any:
        """Return an option's value, or raise OptionError if it does not meet the check's condition."""
        if not self.test(value):
            raise OptionError(*self.message(name, value))
        return value


ANYTHING = Check(lambda value: True, Message("anything", "cualquier cosa"))


@dataclass(frozen=True)
class Option:
    """Option of a pipeline's task: its default value and the check that other values must pass."""

    default: Any
    check: Check = ANYTHING


def whole(low: int, high: int | None = None) -> Check:
    """Return a check that accepts integers, but not bools, from `low` to `high`, both included."""
    top = math.inf if high is None else high
    expected = _range(Message("a whole number", "un número entero"), low, top)
    return Check(lambda x: isinstance(x, int) and not isinstance(x, bool) and low <= x <= top, expected)


def number(low: float = -math.inf, high: float = math.inf, *, open_low: bool = False) -> Check:
    """Return a check that accepts numbers from `low` to `high`, excluding `low` itself with `open_low`."""

    def test(x: Any) -> bool:
        real = isinstance(x, int | float) and not isinstance(x, bool) and x == x
        return real and (low < x if open_low else low <= x) and x <= high

    return Check(test, _range(Message("a number", "un número"), low, high, open_low))


def _range(kind: Message, low: float, high: float, open_low: bool = False) -> Message:
    a, b = (f"{x:g}" if isinstance(x, float) else str(x) for x in (low, high))
    if open_low:
        kind = Message(f"{kind.en} above {a}", f"{kind.es} mayor que {a}")
        return kind if high == math.inf else Message(f"{kind.en} and at most {b}", f"{kind.es}, y {b} como mucho")
    if high == math.inf:
        return kind if low == -high else Message(f"{kind.en} of at least {a}", f"{kind.es}, {a} o más")
    return Message(f"{kind.en} from {a} to {b}", f"{kind.es}, de {a} a {b}")


def one_of(*values: Any) -> Check:
    """Return a check that accepts only the given values, where 1 equals 1.0 but not True."""

    def equal(x: Any, value: Any) -> bool:
        numbers = isinstance(x, int | float) and isinstance(value, int | float)
        return isinstance(x, bool) is isinstance(value, bool) and (numbers or isinstance(x, type(value))) and x == value

    *others, last = map(repr, values)
    en, es = (f"{', '.join(others)} {word} {last}" if others else last for word in ("or", "o"))
    return Check(lambda x: any(equal(x, value) for value in values), Message(en, es))


def optional(check: Check) -> Check:
    """Return a check that accepts None and all values that another check accepts."""
    expected = Message(f"{check.expected.en}, or None", f"{check.expected.es}, o None")
    return Check(lambda x: x is None or check.test(x), expected)


def check_flags(**flags: Any) -> None:
    """Raise OptionError for an option that is none of True, False (or 1 and 0) and None, such as an array."""
    for name, value in flags.items():
        if not isinstance(value, bool | int | None):
            raise OptionError(*FLAG.message(name, value))


A_TEXT = Message("a text", "un texto")
FLAG = one_of(True, False)
TEXT = Check(
    lambda x: isinstance(x, str) and x != "" and not surrogate_problem(x),
    Message("a str that is not empty", "un str que no esté vacío"),
)


def surrogate_problem(text: str) -> Message | None:
    """Return a phrase for error messages that describes a str's first lone surrogate, or None if it has none."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return MESSAGES["surrogate"].format(bad=text[error.start], index=error.start)
    return None


def is_missing(value: Any) -> bool:
    """Return True for None, NaN, NaT, pandas' NA and NumPy's `masked`."""
    if value is None or type(value).__name__ in ("NAType", "MaskedConstant"):
        return True
    try:
        return not hasattr(value, "__len__") and bool(value != value)  # no text or collection, and a kind of NaN
    except Exception:
        return False


def is_missing_row(row: Any) -> bool:
    """Return True if an input row, or one of the texts of a dict, is missing."""
    return is_missing(row) or (isinstance(row, Mapping) and any(map(is_missing, row.values())))


def blank_as_missing(row: Any) -> Any:
    """Return None for a blank text, or a dict with one, and any other input row as it is."""
    texts = row.values() if isinstance(row, Mapping) else [row]
    return None if any(isinstance(text, str) and not text.strip() for text in texts) else row


def text_problem(value: Any, what: Message = A_TEXT) -> Message | None:
    """Return the error message for a value that is not a valid text, or None for a valid text."""
    en, es = what
    if isinstance(value, str):
        bad = surrogate_problem(value)
        return bad and Message(f"{en} with {bad.en}", f"{es} con {bad.es}")
    if is_missing(value):
        return MESSAGES["missing"].format(value=value, what=what)
    if isinstance(value, bytes):
        return MESSAGES["bytes"].format(what=what)
    kind = type(value).__name__
    if isinstance(value, int | float) and abs(value) < 1e18:
        kind += f" {value}"[:40]
    return Message(f"{kind}; expected {en}: pass a str.", f"{kind}; se esperaba {es}: pasa un str.")


def check_text(value: Any, name: str = "text") -> None:
    """Raise InputError for an argument, called `name`, that is not a valid text."""
    if problem := text_problem(value):
        raise InputError(f"{name} is {problem.en}", f"{name} es {problem.es}")


def row_error(problem: Message, item: int | None = None) -> RowError:
    """Return the RowError of an input row for a problem such as "a list; expected a text"."""
    return RowError(f"is {problem.en}", f"es {problem.es}", item=item)


def check_row_text(value: Any, what: Message = A_TEXT) -> None:
    """Raise RowError for an input row, or a part of one, that is not a valid text."""
    if problem := text_problem(value, what):
        raise row_error(problem)


NO_TOKEN = MESSAGES["no_token"]


def ids_problem(ids: Sequence[int], vocab_size: int) -> Message | None:
    """Return the error message for token ids that a model cannot read, or None for valid ids."""
    if not ids:
        return NO_TOKEN
    if (largest := max(ids)) < vocab_size:
        return None
    return MESSAGES["wrong_id"].format(largest=largest, last=vocab_size - 1)


def not_finite_error(dtype: object) -> CheckpointError:
    """Return the error for NaN or infinite outputs of a model that computes in `dtype`."""
    return CheckpointError(*MESSAGES["not_finite"].format(dtype=dtype))
