"""Texts in, from arguments or standard input; answers and messages out."""

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
from pathlib import Path
from typing import Any

from gatonegro.errors import InputError
from gatonegro.i18n import localized

NO_TEXT = re.compile("[\ud800-\udfff]")  # how bytes that are not UTF-8 come in
CHUNK = 1 << 17  # bytes of standard input that are answered together: some thousand lines
# control characters → their pictures, ␛ say: a text must not move the cursor
PICTURES = {c: 0x2400 + c for c in range(0x20)} | {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)


def texts(arguments: list[str]) -> Iterator[list[str]]:
    """The texts of the command line or, without any, the lines of standard input, as many at a time as are there.

    Raises:
        InputError: a text is not UTF-8, or a line, after those before it have been given.
    """
    if arguments == ["-"]:
        arguments = []
    for n, text in enumerate(arguments, 1):
        if NO_TEXT.search(text):
            raise _not_utf8(localized(f"text {n}", f"el texto {n}"), text)
        if _names_a_file(text):
            say(
                localized(
                    f"{text!r} is read as a text, and there is a file of that name. For its lines: < {text}",
                    f"{text!r} se lee como un texto, y hay un archivo que se llama así. Para sus líneas: < {text}",
                )
            )
    return iter([arguments]) if arguments else _lines()


def _names_a_file(text: str) -> bool:
    try:
        return len(text) < 256 and Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or holds a null
        return False


def _lines() -> Iterator[list[str]]:
    if sys.stdin is None:
        raise InputError(
            "there is no standard input; pass texts as arguments.",
            "no hay entrada estándar; pasa los textos como argumentos.",
        )
    if sys.stdin.isatty():
        say(localized("type a text a line; Ctrl-D ends.", "escribe un texto por línea; Ctrl-D termina."))
    done, rest = 0, []  # the pieces of a line that has not ended yet
    while data := sys.stdin.buffer.read1(CHUNK):  # type: ignore[union-attr]  # what is there, without waiting for more
        rest.append(data)
        if b"\n" in data:
            *lines, last = b"".join(rest).split(b"\n")
            rest = [last]
            yield from _decoded(lines, done)
            done += len(lines)
    if any(rest):
        yield from _decoded([b"".join(rest)], done)


def _decoded(lines: list[bytes], done: int) -> Iterator[list[str]]:
    found: list[str] = []
    for n, line in enumerate(lines, done + 1):
        text = line.rstrip(b"\r").decode("utf-8-sig" if n == 1 else "utf-8", "surrogateescape")
        if NO_TEXT.search(text):
            yield found  # no answer is lost
            raise _not_utf8(localized(f"line {n} of standard input", f"la línea {n} de la entrada estándar"), text)
        found.append(text)
    yield found


def _not_utf8(name: str, text: str) -> InputError:
    bad = NO_TEXT.search(text)
    other = "utf-16" if text.startswith(("\udcff\udcfe", "\udcfe\udcff")) else "latin1"
    place = bad.start() + 1 if bad else 0
    return InputError(
        f"{name} is not UTF-8 (character {place}); convert it first, with iconv -f {other} -t utf-8, say.",
        f"{name} no es UTF-8 (carácter {place}); conviértelo antes, con iconv -f {other} -t utf-8, por ejemplo.",
    )


@contextmanager
def progress(arguments: list[str]) -> Iterator[Callable[[str], None]]:
    """Gives a function to call with each text that is done. It moves a bar on stderr, if a person looks there while
    texts come from a file and answers go elsewhere."""
    size = 0
    if not arguments and sys.stdin and sys.stderr and sys.stderr.isatty() and not sys.stdout.isatty():
        status = os.fstat(sys.stdin.fileno())
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    if not size:
        yield lambda text: None
        return
    from rich.console import Console
    from rich.progress import Progress

    # else Progress would take what we print for its own
    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("gatonegro", total=size)
        yield lambda text: bar.advance(task, len(text.encode()) + 1)


def answered(
    arguments: list[str], parts: Iterable[list[str]], stream: Callable[[Iterable[list[str]]], Iterator[Any]]
) -> Iterator[tuple[str, Any]]:
    """Each text with what a pipeline's `stream` answers, and a bar that moves."""
    ours, theirs = tee(parts)
    with progress(arguments) as done:
        for text, found in zip(chain.from_iterable(ours), stream(theirs), strict=True):
            yield text, found
            done(text)


def print_json(record: dict[str, Any]) -> None:
    """One object, one line; escaped where standard output is not UTF-8, as JSON must be."""
    other = codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8"
    print(json.dumps(record, ensure_ascii=other), flush=True)


def print_tabs(*values: Any) -> None:
    """One line, values between tabs, for a pipe."""
    print(
        *(" ".join(re.split(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]", str(v))).translate(PICTURES) for v in values),
        sep="\t",
        flush=True,
    )


def visible(text: str, indented: bool = False) -> str:
    """A text as one line of a terminal: white space made single spaces, control characters pictures. `indented`: what
    stands in front of it stays."""
    front = text[: len(text) - len(text.lstrip(" \t"))].expandtabs(4) if indented else ""
    return front + " ".join(text.split()).translate(PICTURES)


def say(message: object) -> None:
    """One line on stderr."""
    line = " ".join(str(message).splitlines())
    # Python counts from 0, people from 1
    line = re.sub(r"^item (\d+)", lambda found: f"text {int(found[1]) + 1}", line)
    line = re.sub(r"^el elemento (\d+)", lambda found: f"el texto {int(found[1]) + 1}", line)
    print(f"gatonegro: {line.translate(PICTURES)}", file=sys.stderr)
