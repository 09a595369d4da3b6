"""Reading of input texts from command-line arguments or standard input."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from gatonegro.cli.terminal import print_message
from gatonegro.errors import InputError
from gatonegro.i18n import Message

SURROGATE = re.compile("[\ud800-\udfff]")  # represent bytes that are not UTF-8
CHUNK_BYTES = 1 << 17  # bytes of standard input per read: about a thousand lines


def read_texts(arguments: list[str], keep_ends: bool = False) -> Iterator[list[str]]:
    """Return lists of texts from the command line or, if it has none, of lines from standard input as they arrive.

    Each list has the lines that are available without waiting, with `keep_ends` as they end in the input.

    Raises:
        InputError: a text or a line is not UTF-8; for a line, after the lines before it.
    """
    if arguments == ["-"]:
        return _lines(keep_ends)
    for n, text in enumerate(arguments, 1):
        if SURROGATE.search(text):
            raise _not_utf8(Message(f"text {n}", f"el texto {n}"), text)
        if _names_a_file(text):
            print_message(
                f"{text!r} is read as a text, though a file has that name; to read its lines: < {text}",
                f"{text!r} se lee como un texto, aunque un archivo se llama así; para leer sus líneas: < {text}",
            )
    return iter([arguments]) if arguments else _lines(keep_ends)


def _names_a_file(text: str) -> bool:
    try:
        return len(text) < 256 and Path(text).is_file()
    except (OSError, ValueError):  # name too long, or a null character
        return False


def _lines(keep_ends: bool) -> Iterator[list[str]]:
    if sys.stdin is None:
        raise InputError(
            "there is no standard input; pass texts as arguments.",
            "no hay entrada estándar; pasa los textos como argumentos.",
        )
    if sys.stdin.isatty():
        print_message("type one text per line; Ctrl-D ends.", "escribe un texto por línea; Ctrl-D termina.")
    n_done, rest = 0, []  # number of lines yielded; parts of an incomplete line
    while data := sys.stdin.buffer.read1(CHUNK_BYTES):  # type: ignore[union-attr]
        rest.append(data)
        if b"\n" in data:
            *lines, last = b"".join(rest).split(b"\n")
            rest = [last]
            yield from _decoded(lines, n_done, b"\n", keep_ends)
            n_done += len(lines)
    if any(rest):
        yield from _decoded([b"".join(rest)], n_done, b"", keep_ends)


def _decoded(lines: list[bytes], n_done: int, end: bytes, keep_ends: bool) -> Iterator[list[str]]:
    part: list[str] = []
    for n, line in enumerate(lines, n_done + 1):
        line = line + end if keep_ends else line.rstrip(b"\r")
        text = line.decode("utf-8-sig" if n == 1 else "utf-8", "surrogateescape")
        if SURROGATE.search(text):
            yield part  # the lines before it are answered
            raise _not_utf8(Message(f"line {n} of standard input", f"la línea {n} de la entrada estándar"), text)
        part.append(text)
    yield part


def _not_utf8(name: Message, text: str) -> InputError:
    bad = SURROGATE.search(text)
    encoding = "utf-16" if text.startswith(("\udcff\udcfe", "\udcfe\udcff")) else "latin1"
    i = bad.start() + 1 if bad else 0
    return InputError(
        f"{name.en} is not UTF-8 (character {i}); convert it first, with iconv -f {encoding} -t utf-8, for example.",
        f"{name.es} no es UTF-8 (carácter {i}); conviértelo antes, con iconv -f {encoding} -t utf-8, por ejemplo.",
    )
