"""Printing of answers, messages and a progress bar to terminals, pipes and files."""

from __future__ import annotations

import codecs
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, tee
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatonegro.checks import blank_as_missing
from gatonegro.errors import BilingualException
from gatonegro.i18n import Message, format_number, user_language

if TYPE_CHECKING:
    from rich.table import Table

# control character → its picture, such as ␛; a text must not move the cursor
CONTROL_PICTURES = {c: 0x2400 + c for c in range(0x20)} | {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)

# names of options in messages of the library, and in the shell
FLAGS = {
    "src_lang": "--from", "tgt_lang": "--to", "num_beams": "--beam", "num_return_sequences": "--nbest",
    "local_files_only": "--offline", "model": "--model", "backend": "--backend",
    **{name: "--" + name.replace("_", "-") for name in ("device", "language_check", "min_score", "revision", "top_k")},
}  # fmt: skip
OPTION_IN_MESSAGE = (  # compiled when a message is printed
    rf"\b(?:({'|'.join(FLAGS)})=(?:([\"'])(.*?)\2|True\b|(\w*))|({'|'.join(flag for flag in FLAGS if '_' in flag)})\b)"
)
FUNCTION_IN_MESSAGE = re.compile(r"gatonegro\.(diagnose|explain)\([^()]*\)")


def with_answers(
    arguments: list[str], parts: Iterable[list[str]], stream: Callable[[Iterable[list[Any]]], Iterator[Any]]
) -> Iterator[tuple[str, Any]]:
    """Yield each input text with its answer from a pipeline, None for a blank text; for a file, with a progress bar."""
    from gatonegro.pipelines.progress import ProgressBar

    parts, copy = tee(parts)
    rows = (list(map(blank_as_missing, part)) for part in copy)
    done = size = 0  # bytes of the file
    if not arguments and sys.stdin and sys.stderr and sys.stderr.isatty() and not sys.stdout.isatty():
        status = os.fstat(sys.stdin.fileno())
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    with ProgressBar("gatonegro", bool(size), transient=True) as bar:
        for text, answer in zip(chain.from_iterable(parts), stream(rows), strict=True):
            yield text, answer
            done += len(text.encode()) + (not text.endswith("\n"))
            bar.update(done, size)


def print_json(record: dict[str, Any]) -> None:
    """Print a JSON object on one line, in ASCII unless standard output is UTF-8."""
    ascii_only = codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8"
    print(json.dumps(record, ensure_ascii=ascii_only), flush=True)


def print_tabs(*values: Any) -> None:
    """Print values on one line, separated by tabs, for other programs to read."""
    fields = (" ".join(re.split(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]", str(value))) for value in values)
    print(*(field.translate(CONTROL_PICTURES) for field in fields), sep="\t", flush=True)


def print_message(message: object) -> None:
    """Print a message, error or warning on one line of stderr, in the user's language."""
    if isinstance(message, BilingualException) and message.item is not None:
        n = message.item + 1
        message = message.in_(user_language(), Message(f"text {n}", f"el texto {n}"))
    text = FUNCTION_IN_MESSAGE.sub(r"gatonegro \1", " ".join(str(message).splitlines()))
    text = re.sub(OPTION_IN_MESSAGE, lambda m: f"{FLAGS[m[1] or m[5]]} {m[3] or m[4] or ''}".rstrip(), text)
    print(f"gatonegro: {text.translate(CONTROL_PICTURES)}", file=sys.stderr)


def megabytes_of(files: Iterable[Path]) -> Message:
    """Return the size of files in MB, for people."""
    return format_number(sum(file.stat().st_size for file in files) / 1e6, 1)


def one_line(text: str, indented: bool = False) -> str:
    """Join a text's lines into one, with single spaces and with symbols in place of control characters."""
    indent = text[: len(text) - len(text.lstrip(" \t"))].expandtabs(4) if indented else ""
    return indent + " ".join(text.split()).translate(CONTROL_PICTURES)


def table(*columns: tuple[str, str]) -> Table:
    """Create an empty terminal table without borders from the titles and alignments of its columns."""
    from rich.table import Table

    empty = Table(box=None, pad_edge=False)
    for title, side in columns:
        empty.add_column(title, justify=side, header_style="bold")  # type: ignore[arg-type]
    return empty
