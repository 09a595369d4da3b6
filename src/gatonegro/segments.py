"""Splits a document into sentences to translate and text to copy, and finds the items that no translation may lose.

The rules are the same for Spanish and English, since the language is not given. In doubt, two sentences stay together,
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

# After NEVER, "." ends no sentence; after RARELY and initials ("J. K.", "U.S.", "EE. UU."), it does only before
# one of OPENERS: not in "St. Mary", "pág. 12", "s. XIX".
WORDS = json.loads(Path(__file__).with_name("segments.json").read_text(encoding="utf-8"))
NEVER, RARELY, OPENERS = (frozenset(WORDS[name].split()) for name in ("never", "rarely", "openers"))
SPELLED = {word: str(n) for n, words in enumerate(WORDS["numbers"]) for word in words.split()}

EOL = r"\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"  # the line ends of str.splitlines
EMOJI = "\u200b\u200d\u20e3\u2190-\u2bff\ufe0e\ufe0f\ufeff\U0001f000-\U0001faff\U000e0020-\U000e007f"
TAG = rf"<(?:!--|[!/]?\w)[^<>{EOL}]*>"
HOST = r"(?<![\w.@-])(?:[\w-]+\.)+(?:com|edu|gov|io|net|org)\b"
DIGITS = r"(?:\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3}(?!\d))+|\d+)(?:[.,:'’]\d+)*"  # 1000  1,000  1.000,5  1 000  10:30
# Each alternative begins where no earlier match could have read the same characters, which keeps scans linear.
STOP = re.compile(
    rf"""{TAG} | (?P<always> [{EOL}]+ | [。｡！？]+[」』）”’]*
        | (?<![^{EOL}])[^\S{EOL}]*(?:(?: [-*+–—>\#|·•]+ | \[[ xX]?\] | \(?\d{{1,3}}(?:\.\d{{1,3}})*[.)] )[^\S{EOL}]+)+
        | \t+ ) | (?P<perhaps> (?<![.!?…(\[])[.!?…]+(?:["'”’»)\]*_]|\[\d{{1,3}}\])*(?=\s) )""",
    re.VERBOSE,
)
BEFORE, AFTER = re.compile(r"[\w.°]*$"), re.compile(r"""([\s"'“‘«(\[¿¡*_—–-]*)(\w+|[^\s,;:.)\]…])""")
INITIALS = re.compile(r"[A-ZÀ-ÖØ-Þ]|([A-HJ-LN-UYZ])\1|(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")  # EE. UU.: twice for a plural
KEPT = re.compile(
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
SIGNS = {sign: re.compile(words, re.IGNORECASE) for sign, words in WORDS["signs"].items()}
NUMBER, WORD = re.compile(DIGITS), re.compile(r"[^\W\d_]+")
CORE = re.compile(rf"([\s•{EMOJI}]*)(.*[^\s•{EMOJI}])(.*)", re.DOTALL)


@dataclass(frozen=True)
class Segment:
    """A sentence, or text between sentences: line breaks, bullets, emoji at an edge, a line without words."""

    text: str
    translate: bool


def segments(text: str, longest: int | None = None) -> list[Segment]:
    """Return the sentences of a text, line by line, and the text between them; joined, they are the text.

    >>> [s.text for s in segments("- El Sr. Gato. ¡Miau! 🐈") if s.translate]
    ['El Sr. Gato.', '¡Miau!']

    Args:
        longest: most characters of a sentence. A longer one is cut at the last ; : or , of its second half, else at a
            space, else at that length.

    Raises:
        OptionError: `longest` is not a whole number of at least 1, or None.
    """
    optional(whole(1))("longest", longest)
    return [part for whole in _sentences(text) for short in _cut(whole, longest) for part in _peeled(short)]


def kept(text: str) -> list[str]:
    """Return the items that a translation must keep, in order: tags, entities, `code`, links, mail addresses,
    placeholders ({x}, {{x}}, ${x}, $x, %s, %(x)d, :x:), @mentions, #hashtags, emoji, and numbers outside words."""
    return [found[0] for found in KEPT.finditer(text)]


def missing(source: str, translation: str) -> list[str]:
    """Return the items of `kept(source)` that a translation lost, each as often as it is lost.

    Numbers are compared by value, so that 1,000 is 1.000 and 1 000; numbers up to 12, and the sign of an amount, may be
    spelled out.
    """
    held = Counter(map(_key, kept(translation))) | Counter(map(_key, NUMBER.findall(translation)))
    held.update(SPELLED[word] for word in WORD.findall(translation.lower()) if word in SPELLED)
    for sign, words in SIGNS.items():
        if words.search(translation):
            held |= Counter({number + sign: n for number, n in held.items()})
    lost = []
    for item in kept(source):
        held[_key(item)] -= 1
        if held[_key(item)] < 0:
            lost.append(item)
    return lost


def holds(source: str, translation: str) -> bool:
    """Return whether a translation lost no item of `kept`, and added no tag, link or placeholder."""
    invented = (item for item in missing(translation, source) if not NUMBER.fullmatch(item))
    return not missing(source, translation) and next(invented, None) is None


def around(text: str) -> list[Segment]:
    """Return a sentence cut at every item of `kept`, to translate the text between them."""
    parts: list[Segment] = []
    end = 0
    for found in KEPT.finditer(text):
        parts += [*_peeled(text[end : found.start()]), Segment(found[0], False)]
        end = found.end()
    return [*parts, *_peeled(text[end:])]


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for found in STOP.finditer(text):
        if found["always"] or (found["perhaps"] and _ends(text, found)):
            yield text[start : found.end()]
            start = found.end()
    yield text[start:]


def _ends(text: str, stop: re.Match[str]) -> bool:
    """Return whether a sentence ends at this . ! ? or …, by the words on both sides."""
    before, after = BEFORE.search(text, max(0, stop.start() - 20), stop.start()), AFTER.match(text, stop.end())
    if not (before and after):
        return False
    word, first = before[0].replace(".", "").lower(), after[2].lower()
    if stop[0] == ".":
        if word in NEVER or (word == "no" and first.isdecimal()):
            return False
        if word in RARELY or INITIALS.fullmatch(before[0]):  # the "A" in "J. A. Coe" opens nothing
            return first in OPENERS and first != after[2] and not text.startswith(".", after.end())
    return not after[2][0].islower() or not {"¿", "¡"}.isdisjoint(after[1])


def _cut(sentence: str, longest: int | None) -> Iterator[str]:
    start = 0
    while longest and len(sentence) - start > longest:
        half, end = start + longest // 2, start + longest
        marks = (sentence.rfind(mark, half, end) for mark in ("; ", ": ", ", "))
        at = max(marks) + 1 or sentence.rfind(" ", start, end) + 1 or end
        yield sentence[start:at]
        start = at
    yield sentence[start:]


def _peeled(text: str) -> list[Segment]:
    """Return a sentence, if it has words, apart from the spaces and emoji around it."""
    found = CORE.fullmatch(text) if WORD.search(KEPT.sub("", text)) else None
    parts = [Segment(found[i], i == 2) for i in (1, 2, 3)] if found else [Segment(text, False)]
    return [part for part in parts if part.text]


def _key(item: str) -> str:
    """Return an item's key to compare: 1,000 is 1000; 1.75 is 1,75, not 175; 05 is 5; the sign of an amount counts."""
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
