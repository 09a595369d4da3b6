"""What the library shows beside its answers, by the functions of `transformers.utils.logging`.

Its messages are warnings of Python. Above the level WARNING, as after `set_verbosity_error()`, there are none.
"""

from __future__ import annotations

import logging
from functools import cache, partial
from logging import CRITICAL, DEBUG, ERROR, FATAL, INFO, NOTSET, WARN, WARNING

__all__ = ["CRITICAL", "DEBUG", "ERROR", "FATAL", "INFO", "NOTSET", "WARN", "WARNING"]
_state = {"progress_bar": True}


def get_logger(name: str | None = None) -> logging.Logger:
    """Return Python's logger of a name, by default the library's."""
    return logging.getLogger(name or "gatonegro")


warning_once = cache(logging.Logger.warning)  # of a logger and a message


def get_verbosity() -> int:
    """Return the level that `set_verbosity` set; WARNING by default."""
    return get_logger().level or WARNING


def set_verbosity(verbosity: int) -> None:
    """Set the lowest level of messages that are shown, such as `logging.ERROR`."""
    get_logger().setLevel(verbosity)


set_verbosity_debug, set_verbosity_info = partial(set_verbosity, DEBUG), partial(set_verbosity, INFO)
set_verbosity_warning, set_verbosity_error = partial(set_verbosity, WARNING), partial(set_verbosity, ERROR)


def enable_default_handler() -> None:
    """Do nothing: warnings have one handler and one format, those of Python."""


enable_explicit_format = reset_format = enable_default_handler


def is_progress_bar_enabled() -> bool:
    """Return True unless `disable_progress_bar` was called."""
    return _state["progress_bar"]


enable_progress_bar = partial(_state.__setitem__, "progress_bar", True)
disable_progress_bar = partial(_state.__setitem__, "progress_bar", False)
