"""Answers, messages and a progress bar, for terminals, pipes and files."""

from __future__ import annotations

import codecs
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, tee
from typing import TYPE_CHECKING, Any

from gatonegro.errors import BilingualException
from gatonegro.i18n import Message, localized, user_language

if TYPE_CHECKING:
    from rich.table import Table

# control characters → their pictures, such as ␛, since a text must not move the cursor
PICTURES = {c: 0x2400 + c for c in range(0x20)} | {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)


@contextmanager
def progress(arguments: list[str]) -> Iterator[Callable[[str], None]]:
    """Yield a function to call with each finished text, which moves a progress bar on stderr. There is a bar if stderr
    is a terminal, texts come from a file, and answers go elsewhere."""
    size = 0
    if not arguments and sys.stdin and sys.stderr and sys.stderr.isatty() and not sys.stdout.isatty():
        status = os.fstat(sys.stdin.fileno())
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    if not size:
        yield lambda text: None
        return
    from rich.console import Console
    from rich.progress import Progress

    # without redirect_stdout=False, the answers would go to the console of the bar
    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("gatonegro", total=size)
        yield lambda text: bar.advance(task, len(text.encode()) + 1)


def with_answers(
    arguments: list[str], parts: Iterable[list[str]], stream: Callable[[Iterable[list[str]]], Iterator[Any]]
) -> Iterator[tuple[str, Any]]:
    """Yield each text with its answer from a pipeline's `stream`, and move the progress bar."""
    ours, theirs = tee(parts)
    with progress(arguments) as done:
        for text, answer in zip(chain.from_iterable(ours), stream(theirs), strict=True):
            yield text, answer
            done(text)


def print_json(record: dict[str, Any]) -> None:
    """Print one JSON object on one line, in ASCII unless standard output is UTF-8."""
    other = codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8"
    print(json.dumps(record, ensure_ascii=other), flush=True)


def print_tabs(*values: Any) -> None:
    """Print values on one line with tabs between them, for a pipe."""
    print(
        *(" ".join(re.split(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]", str(v))).translate(PICTURES) for v in values),
        sep="\t",
        flush=True,
    )


def print_message(message: object, es: str | None = None) -> None:
    """Print one line on stderr: an English text, or its Spanish `es`; or an error or a warning, with its item as
    "text 4", counted from 1."""
    if es is not None:
        message = localized(str(message), es)
    elif isinstance(message, BilingualException) and message.item is not None:
        n = message.item + 1
        message = message.in_(user_language(), Message(f"text {n}", f"el texto {n}"))
    print(f"gatonegro: {' '.join(str(message).splitlines()).translate(PICTURES)}", file=sys.stderr)


def one_line(text: str, indented: bool = False) -> str:
    """Return a text as one line with single spaces and pictures of control characters; `indented` keeps the spaces in
    front."""
    front = text[: len(text) - len(text.lstrip(" \t"))].expandtabs(4) if indented else ""
    return front + " ".join(text.split()).translate(PICTURES)


def table(*columns: tuple[str, str]) -> Table:
    """Return an empty table without lines. A column is its title and its alignment, "left" or "right"."""
    from rich.table import Table

    empty = Table(box=None, pad_edge=False)
    for title, side in columns:
        empty.add_column(title, justify=side, header_style="bold")  # type: ignore[arg-type]
    return empty
