"""Reading of input texts from command-line arguments, or from lines or a CSV column of standard input."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from gatonegro.cli.arguments import MESSAGES
from gatonegro.cli.terminal import print_message
from gatonegro.errors import InputError, OptionError
from gatonegro.i18n import Message

SURROGATE = re.compile("[\ud800-\udfff]")  # represent bytes that are not UTF-8
# a line of bytes in Latin-1 or the like: never more than three in a row above ASCII, nor those of a surrogate in UTF-8
LATIN_LINE = "[\t-\r -~]*(?:(?!\udced[\udca0-\udcbf][\udc80-\udcbf])[{0}]{{1,3}}(?![{0}])[\t-\r -~]*)*\\Z"
ENCODING_STARTS = {  # other than UTF-8, by the first characters, which are bytes; Latin letters have null bytes
    "utf-32": "\udcff\udcfe\0\0|\0\0\udcfe\udcff", "utf-16": "\udcff\udcfe|\udcfe\udcff",
    "utf-32le": "[^\0]\0{3}", "utf-32be": "\0{3}[^\0]", "utf-16le": "([^\0]\0){2}", "utf-16be": "(\0[^\0]){2}",
    "latin1": LATIN_LINE.format("\udca0-\udcff"),
    "windows-1252": LATIN_LINE.format("\udc80\udc85\udc91-\udc97\udc99\udca0-\udcff"),  # €, …, quotation marks, dashes
}  # fmt: skip
CHUNK_BYTES = 1 << 17  # bytes of standard input per read: about a thousand lines
CHUNK_ROWS = 1000  # rows of a CSV per list of texts
HEAD_LINES = 20  # lines in which a table's header and delimiter are looked for
MAX_CELL_CHARS = 1 << 27  # a longer cell of a CSV is taken for a quotation mark that is not closed
MAX_DOCUMENT_CHARS = 1 << 18  # a longer document is read in parts
DELIMITERS = ",;\t|"
DELIMITER_LINE = re.compile(rf'"?sep=([{DELIMITERS}])"?[\r\n]*')  # Excel's, before the header
COLUMN_NAME = re.compile(r"[^\W\d]([\w .()/-]{0,38}[\w)])?")  # in prose, a space follows a comma


def flattened(parts: Iterable[list[str]], apart: bool) -> Iterator[str]:
    """Yield the texts of lists; with `apart`, print an empty line between what is printed for two of them."""
    for n, text in enumerate(chain.from_iterable(parts)):
        if n and apart:
            print()
        yield text


def read_texts(arguments: list[str], column: str | None = None, as_document: bool = False) -> Iterator[list[str]]:
    """Return lists of texts from the command line or, if it has none, of lines from standard input as they arrive.

    Each list has the lines that are available without waiting. With `as_document`, standard input is a single text; a
    long one is cut between blocks of Markdown. With `column`, standard input is a CSV or TSV file with a header, and
    the texts are those of that column.

    Raises:
        InputError: a text or a line is not UTF-8; for a line, after the lines before it. Or the column does not exist.
        OptionError: there are both texts and a column.
    """
    if column is not None:
        if arguments not in ([], ["-"]):
            raise OptionError(*MESSAGES["column_and_texts"].format(column=column))
        return _column(column)
    if arguments in ([], ["-"]):
        return _documents(_lines(keep_ends=True)) if as_document else _lines(keep_ends=False)
    for n, text in enumerate(arguments, 1):
        if SURROGATE.search(text):
            raise _not_utf8(Message(f"text {n}", f"el texto {n}"), text)
        if _names_a_file(text):
            is_table = Path(text).suffix.lower() in (".csv", ".tsv")
            print_message(MESSAGES["table_file" if is_table else "file"].format(text=text))
    return iter([arguments])


def _names_a_file(text: str) -> bool:
    try:
        return len(text) < 256 and Path(text).is_file()
    except (OSError, ValueError):  # name too long, or a null character
        return False


def _lines(keep_ends: bool) -> Iterator[list[str]]:
    parts = _line_parts(keep_ends)
    first = next(parts, [])
    if table := find_columns(first):
        names, longest = table
        print_message(MESSAGES["table"].format(names=", ".join(names), longest=longest))
    yield first
    yield from parts


def _documents(parts: Iterable[list[str]]) -> Iterator[list[str]]:
    """Join lists of lines to documents: a single one, unless it is long."""
    from gatonegro.documents import last_block  # imported here: other commands need no documents

    text = ""
    try:
        for lines in parts:
            text += "".join(lines)
            while len(text) > MAX_DOCUMENT_CHARS:
                head = text[: text.rfind("\n", 0, MAX_DOCUMENT_CHARS) + 1] or text
                end = last_block(head) or len(head)
                yield [text[:end]]
                text = text[end:]
    except InputError:  # a line is not UTF-8
        yield [text]
        raise
    yield [text] if text else []


def find_columns(lines: Iterable[str]) -> tuple[list[str], str] | None:
    """Return the names of a table's columns, and that of the longest texts, or None if the lines are no CSV or TSV.

    A table has a header of short, different names, and rows of as many fields.
    """
    lines = [line for line in islice(lines, HEAD_LINES) if not DELIMITER_LINE.fullmatch(line)]
    for delimiter in DELIMITERS:
        try:
            header, *rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
        except (csv.Error, ValueError):  # ValueError: no row
            continue
        named = all(COLUMN_NAME.fullmatch(name) for name in header[header[0] == "" :])  # "": the index of a DataFrame
        full = [row for row in rows if len(row) == len(header)]
        if named and 1 < len(header) == len(set(header)) and rows and 3 * len(full) >= 2 * len(rows):
            sizes = [sum(len(row[i]) for row in full) for i in range(len(header))]
            return header, header[sizes.index(max(sizes))]
    return None


def _column(name: str) -> Iterator[list[str]]:
    """Return lists of the texts in a column of the CSV or TSV file on standard input."""
    csv.field_size_limit(MAX_CELL_CHARS)
    lines = TextIOWrapper(_standard_input().buffer, "utf-8-sig", "surrogateescape", newline="")  # any line ends
    head = list(islice(lines, HEAD_LINES)) or [""]
    if _encoding(head[0]) is not None:
        raise _not_utf8(MESSAGES["row"].format(n=1), head[0])
    delimiters, head = (match[1], head[1:]) if (match := DELIMITER_LINE.fullmatch(head[0])) else (DELIMITERS, head)
    try:
        headers = {one: next(filter(None, csv.reader(head, delimiter=one)), []) for one in delimiters}
        delimiter = max(headers, key=lambda one: (name in headers[one], len(headers[one])))
        rows = csv.reader(chain(head, lines), delimiter=delimiter, strict=True)  # a quote must be closed
        names = next(filter(None, rows), [])
    except csv.Error as error:
        raise _no_table(1, error) from None
    if not names:
        raise InputError(*MESSAGES["empty_stdin"])
    if names.count(name) != 1:
        raise InputError(*MESSAGES["twice" if name in names else "no_column"].format(name=name, names=", ".join(names)))
    return _column_parts(rows if len(names) == 1 else filter(None, rows), names.index(name))


def _column_parts(rows: Iterator[list[str]], index: int) -> Iterator[list[str]]:
    part: list[str] = []
    n = 1
    try:
        for n, row in enumerate(rows, 2):
            text = row[index] if index < len(row) else ""
            if SURROGATE.search(text):
                yield part
                raise _not_utf8(MESSAGES["row"].format(n=n), text)
            part.append(text)
            if len(part) == CHUNK_ROWS:
                yield part
                part = []
    except csv.Error as error:
        yield part
        raise _no_table(n + 1, error) from None
    yield part


def _no_table(row: int, error: csv.Error) -> InputError:
    reason = MESSAGES["long_cell" if "limit" in str(error) else "open_quote"].format(limit=MAX_CELL_CHARS)
    return InputError(*MESSAGES["no_table"].format(row=row, reason=reason))


def _standard_input() -> TextIO:
    if sys.stdin is None:
        raise InputError(*MESSAGES["no_stdin"])
    return sys.stdin


def _line_parts(keep_ends: bool) -> Iterator[list[str]]:
    if _standard_input().isatty():
        print_message(MESSAGES["type_texts"])
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
        if _encoding(text) is not None:
            yield part  # the lines before it are answered
            raise _not_utf8(MESSAGES["line"].format(n=n), text)
        part.append(text)
    yield part


def _encoding(text: str) -> str | None:
    """Return the likely encoding of a text of bytes, an empty string if it is unknown, or None if it is UTF-8."""
    bad = SURROGATE.search(text)
    likely = (name for name, start in ENCODING_STARTS.items() if re.match(start, text))
    return next(likely, "" if bad else None) if bad or "\0" in text else None


def _not_utf8(name: Message, text: str) -> InputError:
    bad = SURROGATE.search(text)
    n, encoding = bad.start() + 1 if bad else 1, _encoding(text)
    return InputError(*MESSAGES["not_utf8" if encoding else "no_encoding"].format(name=name, n=n, encoding=encoding))
