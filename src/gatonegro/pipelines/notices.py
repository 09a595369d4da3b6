"""Warnings from notices, once per pipeline and kind."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

from gatonegro.errors import GatonegroWarning, LanguageMismatchWarning
from gatonegro.pipelines.routing import is_sampled
from gatonegro.tasks.task import Notice

# kinds with another warning than GatonegroWarning; with None, the answer itself says so
CATEGORIES: dict[str, type[GatonegroWarning] | None] = {"language": LanguageMismatchWarning, "unsure": None}


class NoticeWarner:
    """Counts the notices of a call, and warns of each kind that the pipeline has not warned of yet."""

    def __init__(self, warned: set[str]):
        self.warned = warned  # kinds, the pipeline's own
        self.rows = 0
        self.count: Counter[str] = Counter()
        self.first: dict[str, tuple[int, Notice]] = {}

    def add(self, notices: Sequence[Notice]) -> None:
        """Take the notices of the next row."""
        for notice in notices:
            self.count[notice.kind] += 1
            self.first.setdefault(notice.kind, (self.rows, notice))
        self.rows += 1

    def warn(self) -> None:
        """Warn, at the line that called the caller."""
        for kind, (item, notice) in self.first.items():
            category = CATEGORIES.get(kind, GatonegroWarning)
            if kind in self.warned or category is None:
                continue
            count, rows = self.count[kind], self.rows
            en, es = notice.message
            if kind == "language":
                rows = sum(map(is_sampled, range(rows)))
            if rows > 1:
                en, es = f"{en} ({count} of {rows} texts.)", f"{es} ({count} de {rows} textos.)"
            en, es = f"{en} Shown once per pipeline.", f"{es} Este aviso sale una vez por pipeline."
            warnings.warn(category(en, es, item=item), stacklevel=3)
            self.warned.add(kind)
