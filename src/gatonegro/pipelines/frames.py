"""Answers as a pandas or polars table; both libraries are optional."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from gatonegro.errors import MissingExtraError
from gatonegro.pipelines.loop import MESSAGES


def frame(inputs: Any, records: Sequence[Mapping[str, Any] | None], column_names: Iterable[str] = ()) -> Any:
    """Return the table of a call's answers: with the index of a pandas Series, or of polars for a polars Series.

    Args:
        inputs: what the pipeline was called with.
        records: per input row, the values of its columns; None: a missing row.
        column_names: the columns that every answer has.
    """
    names = dict.fromkeys(chain(column_names, *filter(None, records)))
    columns: dict[str, list[Any]] = {name: [row.get(name) if row else None for row in records] for name in names}
    for name, values in columns.items():  # marks, such as "unsure", which the other answers lack
        if {type(value) for value in values if value is not None} == {bool}:
            columns[name] = [bool(value) if row else None for row, value in zip(records, values, strict=True)]
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(inputs, polars.Series):
        return polars.DataFrame(columns, strict=False)
    try:
        import pandas
    except ImportError:
        raise MissingExtraError(*MESSAGES["no_pandas"]) from None
    index = inputs.index if isinstance(inputs, pandas.Series) else range(len(records))
    return pandas.DataFrame(columns, index=index)
