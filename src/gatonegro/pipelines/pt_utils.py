"""Datasets as inputs of a pipeline, as in `transformers`: all of one, or one column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class KeyDataset:
    """The values of one key of a dataset's items."""

    dataset: Any
    key: str

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> Any:
        return self.dataset[i][self.key]


@dataclass(frozen=True)
class DatasetAnswers:
    """The answers to the items of a dataset, as many, computed anew whenever they are iterated over."""

    dataset: Any
    answers: Callable[[Iterator[Any]], Iterator[Any]]

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[Any]:
        return self.answers(_text_columns(self.dataset[i]) for i in range(len(self.dataset)))


def _text_columns(row: Any) -> Any:
    """Return the texts of a dataset's item that has other columns too, such as labels, and any other row as it is."""
    if isinstance(row, Mapping) and "text" in row:
        return {name: row[name] for name in ("text", "text_pair") if name in row}
    return row
