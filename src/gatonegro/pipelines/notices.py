"""Warnings for notices, once per pipeline and kind."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

from gatonegro.errors import GatonegroWarning, LanguageMismatchWarning
from gatonegro.pipelines.language_check import is_sampled
from gatonegro.tasks.task import Notice

# kind of notice → class of warning, by default GatonegroWarning; None: no warning, since the answer has a mark
CATEGORIES: dict[str, type[GatonegroWarning] | None] = {"language": LanguageMismatchWarning, "unsure": None}


class NoticeWarner:
    """Counter of a call's notices, which warns once of each kind that the pipeline has not warned of yet."""

    def __init__(self, warned_kinds: set[str]):
        self.warned_kinds = warned_kinds  # shared by all calls of the pipeline
        self.rows = 0
        self.count: Counter[str] = Counter()
        self.first: dict[str, tuple[int, Notice]] = {}

    def add(self, notices: Sequence[Notice]) -> None:
        """Add the notices of the next row."""
        for notice in notices:
            self.count[notice.kind] += 1
            self.first.setdefault(notice.kind, (self.rows, notice))
        self.rows += 1

    def warn(self) -> None:
        """Issue the warnings, with the line that called the caller."""
        for kind, (item, notice) in self.first.items():
            category = CATEGORIES.get(kind, GatonegroWarning)
            if kind in self.warned_kinds or category is None:
                continue
            count, rows = self.count[kind], self.rows
            en, es = notice.message
            if kind == "language":
                rows = sum(map(is_sampled, range(rows)))
            if rows > 1:
                en, es = f"{en} ({count} of {rows} texts.)", f"{es} ({count} de {rows} textos.)"
            en, es = f"{en} Shown once per pipeline.", f"{es} Este aviso sale una vez por pipeline."
            warnings.warn(category(en, es, item=item), stacklevel=3)
            self.warned_kinds.add(kind)
