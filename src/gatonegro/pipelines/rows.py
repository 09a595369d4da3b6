"""Validation of a call's input as a list of input rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gatonegro.checks import short_repr
from gatonegro.errors import InputError
from gatonegro.pipelines.loop import MESSAGES


def is_rows(rows: Any) -> bool:
    """Return True for a list, array, Series or generator, whatever it holds."""
    try:  # pandas' `Series.str` is an Iterable that cannot be iterated over
        return not isinstance(rows, str | bytes | Mapping) and iter(rows) is not None
    except TypeError:
        return False


def validated_rows(rows: Any) -> Iterable[Any]:
    """Return a list, array, Series or generator of input rows, or raise InputError for anything else."""
    if not is_rows(rows):
        raise InputError(*MESSAGES["not_rows"].format(rows=short_repr(rows)))
    check_shape(rows)
    return rows  # type: ignore[no-any-return]


def check_shape(rows: Any) -> None:
    """Raise InputError for a set, a table or an array of several dimensions, which is not a list of input rows."""
    if isinstance(rows, set | frozenset):
        raise InputError(*MESSAGES["set"].format(kind=type(rows).__name__))
    shape = getattr(rows, "shape", None)
    if isinstance(shape, tuple) and len(shape) != 1:
        raise InputError(*MESSAGES["shape"].format(kind=type(rows).__name__, shape=shape))
