"""A progress bar on stderr for long work."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

BAR_DELAY_SECONDS = 2.0  # after this time a bar appears on a terminal


class ProgressBar:
    """Progress bar on stderr that appears only for long work.

    Args:
        title: text in front of the bar.
        shown: True: always; False: never; None: on a terminal, after BAR_DELAY_SECONDS.
        transient: remove the bar at the end.
    """

    def __init__(self, title: str, shown: bool | None, transient: bool = False):
        self.title, self.shown, self.transient = title, shown, transient
        self.bar: Progress | None = None
        self.allowed = sys.stderr is not None and (shown or (shown is None and sys.stderr.isatty() and _is_enabled()))
        self.start = time.monotonic()

    def __enter__(self) -> ProgressBar:
        return self

    def update(self, done: float, total: int) -> None:
        """Show on the progress bar that `done` of `total` steps are finished."""
        if not self.allowed:
            return
        if self.bar is None:
            if not (self.shown or time.monotonic() - self.start > BAR_DELAY_SECONDS):
                return
            from rich.console import Console
            from rich.progress import Progress

            # without redirect_stdout=False, what is printed meanwhile would go to the bar's console
            self.bar = Progress(console=Console(stderr=True), transient=self.transient, redirect_stdout=False)
            self.task = self.bar.add_task(self.title, total=total)
            self.bar.start()
        self.bar.update(self.task, completed=done, total=total)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()


def _is_enabled() -> bool:
    from gatonegro.utils import logging  # here, for a light start

    return logging.is_progress_bar_enabled()
