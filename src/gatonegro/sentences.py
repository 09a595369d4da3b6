"""Sentence splitting for translation, and the items (numbers, links, tags…) that a translation must preserve.

The rules are the same for Spanish and English, since the language is unknown. In doubt, two sentences stay together,
since models translate half a sentence badly. Every function takes time linear in the length of its text.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gatonegro.checks import optional, whole

# "." ends no sentence after abbreviations in NON_FINAL. After RARELY_FINAL and initials ("J. K.", "U.S.", "EE. UU."),
# it does only before one of OPENERS: not in "St. Mary", "pág. 12", "s. XIX".
DATA = json.loads(Path(__file__).with_name("sentences.json").read_text(encoding="utf-8"))
NON_FINAL, RARELY_FINAL, OPENERS = (frozenset(DATA[key].split()) for key in ("non_final", "rarely_final", "openers"))
NUMBER_WORDS = {word: str(n) for n, words in enumerate(DATA["number_words"]) for word in words.split()}

EOL = r"\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"  # the line ends of str.splitlines
EMOJI = "\u200b\u200d\u20e3\u2190-\u2bff\ufe0e\ufe0f\ufeff\U0001f000-\U0001faff\U000e0020-\U000e007f"
TAG = rf"<(?:!--|[!/]?\w)[^<>{EOL}]*>"
HOST = r"(?<![\w.@-])(?:[\w-]+\.)+(?:com|edu|gov|io|net|org)\b"
DIGITS = r"(?:\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3}(?!\d))+|\d+)(?:[.,:'’]\d+)*"  # 1000  1,000  1.000,5  1 000  10:30
# No alternative can rescan characters of an earlier match, which keeps scans linear. After "soft", the words decide.
BOUNDARY = re.compile(
    rf"""{TAG} | (?P<hard> [{EOL}]+ | [。｡！？]+[」』）”’]*
        | (?<![^{EOL}])[^\S{EOL}]*(?:(?: [-*+–—>\#|·•]+ | \[[ xX]?\] | \(?\d{{1,3}}(?:\.\d{{1,3}})*[.)] )[^\S{EOL}]+)+
        | \t+ ) | (?P<soft> (?<![.!?…(\[])[.!?…]+(?:["'”’»)\]*_]|\[\d{{1,3}}\])*(?=\s) )""",
    re.VERBOSE,
)
BEFORE_STOP, AFTER_STOP = re.compile(r"[\w.°]*$"), re.compile(r"""([\s"'“‘«(\[¿¡*_—–-]*)(\w+|[^\s,;:.)\]…])""")
INITIALS = re.compile(r"[A-ZÀ-ÖØ-Þ]|([A-HJ-LN-UYZ])\1|(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")  # EE. UU.: twice for a plural
PROTECTED = re.compile(
    rf"""{TAG} | >>\w{{1,31}}<< | `[^`{EOL}]+` | &\#?\w{{1,31}}; | \[[ xX]\] | [{EMOJI}]+
    | (?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+
    | (?: \b(?i:https?://|ftp://|www\.) | {HOST}/ )[^\s<>"«»“”`]*[\w/] | {HOST}(?![@.-]\w)
    | \$?\{{{{?[ ]?[\w.:!,\[\]-]*[ ]?\}}?\}} | %(?:\(\w+\)|\d+\$)?[-+\#\d.]*[sdifgxr@](?!\w) | (?<![\w$])\$[A-Za-z_]\w*
    | (?<!\w)(?: :[a-z][a-z\d_+-]*:(?!\w) | @\w+ | \#\d*[^\W\d]\w* )
    | (?<![\w.,])(?:[$£€]\ ?)?{DIGITS}(?:[ \u00a0\u202f]?(?:[%€£$]|°[CF]?(?!\w)))?(?!\w)
    | (?<![\w.,-])(?=(?:[A-Z]{{0,15}}\d){{3}})[A-Z\d]+(?:-[A-Z\d]+)*(?![\w-])""",
    re.VERBOSE,
)
AMOUNT = re.compile(rf"([$£€]?) ?({DIGITS})[ \u00a0\u202f]?([%€£$]|°[CF]?|)")
UNIT_WORDS = {sign: re.compile(words, re.IGNORECASE) for sign, words in DATA["unit_words"].items()}
NUMBER, WORD = re.compile(DIGITS), re.compile(r"[^\W\d_]+")
TRIMMED = re.compile(rf"([\s•{EMOJI}]*)(.*[^\s•{EMOJI}])(.*)", re.DOTALL)


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


def protected_items(text: str) -> list[str]:
    """Return the items of a text that a translation must preserve, such as numbers, links and tags, in order.

    These are tags, entities, `code`, links, mail addresses, placeholders ({x}, {{x}}, ${x}, $x, %s, %(x)d, :x:),
    @mentions, #hashtags, emoji, and numbers outside words.
    """
    return [match[0] for match in PROTECTED.finditer(text)]


def lost_items(source: str, translation: str) -> list[str]:
    """Return the numbers, links, tags and other protected items of a source text that its translation lacks.

    Numbers are compared by value, so 1,000 equals 1.000 and 1 000. Numbers up to 12, and the unit of an amount, may be
    spelled out. An item is returned as often as it is lacking.
    """
    found = Counter(map(_normalize, protected_items(translation)))
    found |= Counter(map(_normalize, NUMBER.findall(translation)))
    found.update(NUMBER_WORDS[word] for word in WORD.findall(translation.lower()) if word in NUMBER_WORDS)
    for sign, words in UNIT_WORDS.items():
        if words.search(translation):
            found |= Counter({number + sign: n for number, n in found.items()})
    lost = []
    for item in protected_items(source):
        found[_normalize(item)] -= 1
        if found[_normalize(item)] < 0:
            lost.append(item)
    return lost


def preserves_items(source: str, translation: str) -> bool:
    """Return True if a translation keeps all protected items (links, tags…) and adds none but plain numbers."""
    invented = (item for item in lost_items(translation, source) if not NUMBER.fullmatch(item))
    return not lost_items(source, translation) and next(invented, None) is None


def split_at_items(text: str) -> list[Segment]:
    """Split a sentence into items to copy, such as links and numbers, and the text between them to translate."""
    parts: list[Segment] = []
    end = 0
    for match in PROTECTED.finditer(text):
        parts += [*_trim(text[end : match.start()]), Segment(match[0], False)]
        end = match.end()
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
    """Split a text into the spaces and emoji at its edges, to copy, and the sentence between them, to translate."""
    match = TRIMMED.fullmatch(text) if any(map(str.isalpha, PROTECTED.sub("", text))) else None
    parts = [Segment(match[i], i == 2) for i in (1, 2, 3)] if match else [Segment(text, False)]
    return [part for part in parts if part.text]


def _normalize(item: str) -> str:
    """Return a number or amount in a normal form, as 1000 for 1,000 or 1.75 for 1,75; other items stay as they are."""
    number = NUMBER.search(item)
    if number is None or not AMOUNT.fullmatch(item):
        return item
    first, *rest = re.split(r"\D", number[0])
    if any(len(group) != 3 for group in rest[:1]) or len(first) > 3:
        value = ".".join((first, *rest))  # a decimal fraction, a time, a date
    elif len(rest[-1] if rest else "000") != 3:
        value = "".join((first, *rest[:-1])) + "." + rest[-1]
    else:
        value = "".join((first, *rest))
    return (value.lstrip("0") or "0") + "".join(AMOUNT.fullmatch(item).group(1, 3)).strip()  # type: ignore[union-attr]
