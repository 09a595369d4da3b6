"""A progress bar on stderr for work that takes long."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

SECONDS = 2.0  # after which a bar appears on a terminal, however little there is to do


class ProgressBar:
    """A bar that appears if the work is long; `update` moves it.

    Args:
        shown: True or False, whatever happens; None: on a terminal, if there are `long` steps or they take long.
    """

    def __init__(self, title: str, shown: bool | None, long: int):
        self.title, self.shown, self.long = title, shown, long
        self.bar: Progress | None = None
        self.allowed = sys.stderr is not None and (shown or (shown is None and sys.stderr.isatty()))
        self.start = time.monotonic()

    def __enter__(self) -> ProgressBar:
        return self

    def update(self, done: int, total: int) -> None:
        """Show `done` of `total` steps."""
        if not self.allowed:
            return
        if self.bar is None:
            if not (self.shown or total >= self.long or time.monotonic() - self.start > SECONDS):
                return
            from rich.console import Console
            from rich.progress import Progress

            self.bar = Progress(console=Console(stderr=True))
            self.task = self.bar.add_task(self.title, total=total)
            self.bar.start()
        self.bar.update(self.task, completed=done, total=total)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()
