"""Sentence splitting for translation.

The rules are the same for Spanish and English, since the language is unknown. In doubt, two sentences stay together,
since models translate half a sentence badly. Every function takes time linear in the length of its text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gatonegro.checks import optional, whole
from gatonegro.documents.edits import disjoint
from gatonegro.documents.items import EMOJI_CHARS, EOL, PROTECTED, TAG_PATTERN, has_words, mask_items
from gatonegro.documents.numbers import spelled_numbers

# "." ends no sentence after abbreviations in NON_FINAL. After RARELY_FINAL and initials ("J. K.", "U.S.", "EE. UU."),
# it does only before one of OPENERS: not in "St. Mary", "pág. 12", "s. XIX".
SENTENCE_DATA = json.loads(Path(__file__).with_name("sentences.json").read_text(encoding="utf-8"))
WORD_LISTS = ("non_final", "rarely_final", "openers")
NON_FINAL, RARELY_FINAL, OPENERS = (frozenset(SENTENCE_DATA[name].split()) for name in WORD_LISTS)

# No alternative can rescan characters of an earlier match, which keeps scans linear. After "soft", the words decide.
BOUNDARY = re.compile(
    rf"""{TAG_PATTERN} | (?P<hard> [{EOL}]+ | [。｡！？]+[」』）”’]*
        | (?<![^{EOL}])[^\S{EOL}]*(?:(?: [-*+–—>\#|·•]+ | \[[ xX]?\] | \(?\d{{1,3}}(?:\.\d{{1,3}})*[.)] )[^\S{EOL}]+)+
        | \t+ ) | (?P<soft> (?<![.!?…(\[])[.!?…]+(?:["'”’»)\]*_]|\[\d{{1,3}}\])*(?=\s) )""",
    re.VERBOSE,
)
BEFORE_STOP, AFTER_STOP = re.compile(r"[\w.°]*$"), re.compile(r"""([\s"'“‘«(\[¿¡*_—–-]*)(\w+|[^\s,;:.)\]…])""")
INITIALS = re.compile(r"[A-ZÀ-ÖØ-Þ]|([A-HJ-LN-UYZ])\1|(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")  # EE. UU.: twice for a plural
TRIMMED_PATTERN = re.compile(rf"([\s•{EMOJI_CHARS}]*)(.*[^\s•{EMOJI_CHARS}])(.*)", re.DOTALL)


@dataclass(frozen=True)
class Segment:
    """A part of a text: a sentence to translate, or characters to copy, such as line breaks and bullets."""

    text: str
    translate: bool


def split_sentences(text: str, max_chars: int | None = None) -> list[Segment]:
    """Split a text into sentences to translate and the characters between them to copy, without losing any.

    >>> [s.text for s in split_sentences("- El Sr. Gato. ¡Miau! 🐈") if s.translate]
    ['El Sr. Gato.', '¡Miau!']

    Args:
        text: a document of any length. The segments, joined, are this text.
        max_chars: maximum length of a sentence in characters. A longer one is cut at the last ; : or , of its second
            half, else at a space, else at that length.

    Raises:
        OptionError: `max_chars` is neither None nor a whole number of at least 1.
    """
    optional(whole(1))("max_chars", max_chars)
    return [part for sentence in _split(text) for cut in _split_long(sentence, max_chars) for part in _trim(cut)]


def split_at_items(text: str, language: str | None = None) -> list[Segment]:
    """Split a sentence into items to copy, such as links and numbers, and the text between them to translate.

    With its language, Roman numerals are items too.
    """
    spans = [match.span() for match in PROTECTED.finditer(text)]
    numbers = spelled_numbers(mask_items(text), language) if language else ()
    spans += [(n.start, n.end) for n in numbers if n.certain and n.kind == "roman"]
    parts, end = [], 0
    for start, stop in disjoint(spans):
        parts += [*_trim(text[end:start]), Segment(text[start:stop], False)]
        end = stop
    return [*parts, *_trim(text[end:])]


def _split(text: str) -> Iterator[str]:
    start = 0
    for match in BOUNDARY.finditer(text):
        if match["hard"] or (match["soft"] and _is_sentence_end(text, match)):
            yield text[start : match.end()]
            start = match.end()
    yield text[start:]


def _is_sentence_end(text: str, stop: re.Match[str]) -> bool:
    """Return True if a sentence ends at a matched . ! ? or …, judging by the words on both sides."""
    before = BEFORE_STOP.search(text, max(0, stop.start() - 20), stop.start())
    after = AFTER_STOP.match(text, stop.end())
    if not (before and after):
        return False
    word, first = before[0].replace(".", "").lower(), after[2].lower()
    if stop[0] == ".":
        if word in NON_FINAL or (word == "no" and first.isdecimal()):
            return False
        if word in RARELY_FINAL or INITIALS.fullmatch(before[0]):  # the "A" in "J. A. Coe" opens nothing
            return first in OPENERS and first != after[2] and not text.startswith(".", after.end())
    return not after[2][0].islower() or not {"¿", "¡"}.isdisjoint(after[1])


def _split_long(sentence: str, max_chars: int | None) -> Iterator[str]:
    start = 0
    while max_chars and len(sentence) - start > max_chars:
        half, end = start + max_chars // 2, start + max_chars
        marks = (sentence.rfind(mark, half, end) for mark in ("; ", ": ", ", "))
        at = max(marks) + 1 or sentence.rfind(" ", start, end) + 1 or end
        yield sentence[start:at]
        start = at
    yield sentence[start:]


def _trim(text: str) -> list[Segment]:
    """Split a text into the spaces and emoji at its edges, to copy, and what stands between them, to translate."""
    match = TRIMMED_PATTERN.fullmatch(text) if has_words(text) else None
    parts = [Segment(match[i], i == 2) for i in (1, 2, 3)] if match else [Segment(text, False)]
    return [part for part in parts if part.text]
