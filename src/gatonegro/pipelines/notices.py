"""Python warnings for the notices on a pipeline's answers, issued once per pipeline and kind of notice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gatonegro.errors import DoubtWarning, GatonegroWarning, LanguageMismatchWarning, warn
from gatonegro.pipelines.language_check import is_sampled
from gatonegro.tasks.task import Notice

# kind of notice → class of warning, by default GatonegroWarning; None: no warning, since the answer has a mark
CATEGORIES: dict[str, type[GatonegroWarning] | None] = {
    "language": LanguageMismatchWarning,
    "doubtful": DoubtWarning,
    "unsure": None,
}

# by a pipeline's key, the kinds that were shown; copies have the same key, such as those that a pool of processes makes
WARNED_KINDS: dict[str, dict[str, object]] = {}


class NoticeWarner:
    """Collects the notices on a call's answers, and warns once per pipeline and kind of notice."""

    def __init__(self, warned: dict[str, object]):
        self.warned = warned  # kinds that were shown by the pipeline or a copy of it
        self.rows = 0
        self.count: Counter[str] = Counter()
        self.first: dict[str, tuple[int, Notice]] = {}

    def add(self, notices: Sequence[Notice]) -> None:
        """Count the notices on the answer to the next input row."""
        for notice in notices:
            self.count[notice.kind] += 1
            self.first.setdefault(notice.kind, (self.rows, notice))
        self.rows += 1

    def warn(self, stacklevel: int = 3) -> None:
        """Issue a warning for each new kind of notice, attributed to the line that called the pipeline."""
        for kind, (item, notice) in self.first.items():
            category = CATEGORIES.get(kind, GatonegroWarning)
            mark = object()  # setdefault: once, whatever the thread
            if category is None or self.warned.setdefault(kind, mark) is not mark:
                continue
            count, rows = self.count[kind], self.rows
            en, es = notice.message
            if kind == "language":
                rows = sum(map(is_sampled, range(rows)))
            if rows > 1:
                en, es = f"{en} ({count} of {rows} texts.)", f"{es} ({count} de {rows} textos.)"
            en, es = f"{en} Shown once per pipeline.", f"{es} Este aviso sale una vez por pipeline."
            try:
                warn(category(en, es, item=item), stacklevel=stacklevel)
            except Warning:  # raised by the user's filter, as often as it happens
                del self.warned[kind]
                raise
