"""Lines in from arguments or standard input; lines out as JSON, as tabs for a pipe, or coloured for a terminal."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from gatonegro.errors import InputError


def texts(arguments: list[str]) -> Iterable[str]:
    """The texts of the command line or, without any, the lines of standard input as they come."""
    return arguments if arguments else _lines()


def _lines() -> Iterator[str]:
    if sys.stdin.isatty():
        print("gatonegro: type a text a line; Ctrl-D ends.", file=sys.stderr)
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"line {number} of standard input is not UTF-8 (byte {error.start + 1}); convert it first, with "
                "iconv -f latin1 -t utf-8, say."
            ) from None
        yield text.rstrip("\r\n")


def print_json(record: dict[str, Any]) -> None:
    """One object, one line."""
    print(json.dumps(record, ensure_ascii=False), flush=True)


def say_warnings_plainly() -> None:
    """Warnings as one line on stderr, without the place in the code."""
    warnings.showwarning = lambda message, *rest: print(f"gatonegro: {message}", file=sys.stderr)
