"""Words in capitals, which translation models read badly: they are given to a model in lower case."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from gatonegro.documents.items import PROTECTED
from gatonegro.documents.markup import Mark
from gatonegro.documents.sentences import INITIALS, OPENERS

CAPITAL_DATA = json.loads(Path(__file__).with_name("capitals.json").read_text(encoding="utf-8"))
ACRONYMS = frozenset(CAPITAL_DATA["acronyms"].split())
SHORT_WORDS = OPENERS | frozenset(CAPITAL_DATA["words"].split())
MIN_WORD = 4  # letters from which a word in capitals is no unknown acronym
WORD = re.compile(r"(?<![\w@#$/\\])(?:[^\W\d_]+['’])?[^\W\d_]+(?![\w/\\]|-\d)")
ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
VOWEL = re.compile("[AEIOUYÁÉÍÓÚÜ]")


def lower_capitals(text: str) -> tuple[str, list[Mark]]:
    """Return a sentence with its words in capitals in lower case, and where they are. The length stays the same.

    These are sentences in capitals, and in other sentences two or more such words in a row, or one of at least
    MIN_WORD letters. Acronyms stay.
    """
    protected = PROTECTED.sub(lambda match: "_" * len(match[0]), text)
    words = list(WORD.finditer(protected))
    cased = [word for word in words if word[0].lower() != word[0].upper()]
    runs = [list(run) for is_upper, run in groupby(cased, lambda word: word[0].isupper()) if is_upper]
    whole = len(runs) == 1 and len(runs[0]) == len(cased) and not any(map(str.islower, protected))
    opening = words[0].start() if words else 0
    chars = list(text)
    marks: list[Mark] = []
    for part in [part for run in runs for part in ([run] if whole else _adjacent(text, run))]:
        if not _is_shouted([word[0] for word in part]):
            continue
        for word in part:
            start, end = word.span()
            if not _is_acronym(word[0], text[end : end + 1]):
                keeps_first = word[0] == "I" or (start == part[0].start() and (whole or start == opening))
                chars[start + keeps_first : end] = lower(word[0][keeps_first:])
        span = (0, len(text)) if whole else (part[0].start(), part[-1].end())
        marks.append(Mark(*span, upper=True))
    return "".join(chars), marks


def lower(text: str) -> str:
    """Return a text in lower case of the same length, which `upper` turns back."""
    return "".join(char.lower() if char.lower().upper() == char else char for char in text)


def _adjacent(text: str, run: list[re.Match[str]]) -> Iterator[list[re.Match[str]]]:
    """Yield the parts of a run of words between which only spaces, commas and the like stand."""
    part: list[re.Match[str]] = []
    for word in run:
        if part and text[part[-1].end() : word.start()].strip(" ,;:'\"-"):
            yield part
            part = []
        part.append(word)
    yield part


def _is_shouted(words: list[str]) -> bool:
    """Return True if words in capitals are no mere acronyms, initials or Roman numbers."""
    known = [word for word in words if not _is_acronym(word)]
    if any(len(word) >= MIN_WORD for word in known):
        return True
    return len(words) > 1 and len(known) == len(words) and all(word.lower() in SHORT_WORDS for word in words)


def _is_acronym(word: str, after: str = "") -> bool:
    if word in ACRONYMS or not VOWEL.search(word):
        return True
    if after == "." and len(word) == 2 and INITIALS.fullmatch(word):  # EE. UU.
        return True
    return len(word) > 1 and word.lower() not in SHORT_WORDS and ROMAN.fullmatch(word) is not None
