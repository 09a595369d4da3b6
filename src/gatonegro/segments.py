"""A document cut into what a model translates and what goes through as it is, and what no translation may lose.

Spanish and English by the same rules: no one says which a text is in. Where they cannot know, two sentences stay
together, since a model makes nothing good of half a one. Every function takes time linear in the length of its text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gatonegro.errors import OptionError

# After NEVER, "." ends no sentence; after RARELY and initials ("J. K.", "U.S.", "EE. UU."), it does only before
# one of OPENERS: not in "St. Mary", "pág. 12", "s. XIX".
NEVER, RARELY, OPENERS = (
    frozenset(words.split())
    for words in (
        "cf cfr dr dra dres dña eg ej ie mr mrs ms pej prof sr sra sras sres srta srtas viz vs",
        """a abr ago approx apr aprox art arts aug av avda bros c ca cap capt cnel co col corp cía dec dept dic ed ene
        ext feb fig figs fr gen gov gral hna hno inc ing jan jr jul jun lic lt ltd ltda mons mt n° nov nro num nº núm
        núms oct p pag pbro pp pres pág págs rep rev s sec sen sept sgt ss st sta sto tel tte vol vols""",
        """a after an and as at but by did do for from he her here his how i if in is it its my no not now on one or our
        she so that the their then there these they this those to today we what when where who why with yes you your
        ahora al así aunque como con cuando desde después donde el ella ellas ellos en entonces era es esa ese eso esta
        este esto estos está fue ha hay hoy la las le les lo los luego me mi mientras más nadie ni nos para pero por
        porque que quien qué se según si sin sobre su sus sí también te todo todos tras tú un una y ya yo él""",
    )
)
SMALL = """zero cero|one un una uno|two dos|three tres|four cuatro|five cinco|six seis|seven siete|eight ocho|nine
    nueve|ten diez|eleven once|twelve doce"""
SPELLED = {word: str(n) for n, words in enumerate(SMALL.split("|")) for word in words.split()}

EOL = r"\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"  # as str.splitlines has them
EMOJI = "\u200b\u200d\u20e3\u2190-\u2bff\ufe0e\ufe0f\ufeff\U0001f000-\U0001faff\U000e0020-\U000e007f"
TAG = rf"<(?:!--|[!/]?\w)[^<>{EOL}]*>"
HOST = r"(?<![\w.@-])(?:[\w-]+\.)+(?:com|edu|gov|io|net|org)\b"
DIGITS = r"(?:\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3}(?!\d))+|\d+)(?:[.,:'’]\d+)*"  # 1000  1,000  1.000,5  1 000  10:30
# Each alternative begins where no earlier start could have read the same characters: that keeps the scans linear.
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
SIGNS = {
    sign: re.compile(words, re.IGNORECASE)
    for sign, words in {
        "$": "dollar|dólar|peso|buck",
        "€": "euro",
        "£": "pound|libra",
        "%": "percent|per cent|por ?cien",
        "°": "degree|grado",
        "°C": "degree|grado|celsius|centigrad",
        "°F": "degree|grado|fahrenheit",
    }.items()
}
NUMBER, WORD = re.compile(DIGITS), re.compile(r"[^\W\d_]+")
CORE = re.compile(rf"([\s•{EMOJI}]*)(.*[^\s•{EMOJI}])(.*)", re.DOTALL)


@dataclass(frozen=True)
class Segment:
    """A sentence, or what stands between sentences: line breaks, bullets, emoji at an edge, a line without words."""

    text: str
    translate: bool


def segments(text: str, longest: int | None = None) -> list[Segment]:
    """Sentences, line by line, and what is between them. Joined again, they are the text.

    >>> [s.text for s in segments("- El Sr. Gato. ¡Miau! 🐈") if s.translate]
    ['El Sr. Gato.', '¡Miau!']

    A sentence longer than `longest` characters is cut: at the last ; : or , of its second half, else at a space, else
    where it must be. OptionError: a `longest` below 1.
    """
    if longest is not None and longest < 1:
        raise OptionError(
            f"longest={longest}: a sentence has at least one character. Give 1 or more, or None.",
            f"longest={longest}: una frase tiene al menos un carácter. Da 1 o más, o None.",
        )
    return [part for whole in _sentences(text) for short in _cut(whole, longest) for part in _peeled(short)]


def kept(text: str) -> list[str]:
    """What a translation must hold as it stands, in order: tags, entities, `code`, links, mail addresses, placeholders
    ({x}, {{x}}, ${x}, $x, %s, %(x)d, :x:), @mentions, #hashtags, emoji, and numbers, but not those in a word (20th)."""
    return [found[0] for found in KEPT.finditer(text)]


def missing(source: str, translation: str) -> list[str]:
    """Those of `kept(source)` that the translation lost, each as often as it is lost.

    Numbers are compared by their value, so that 1,000 is 1.000 and 1 000; those up to 12 may be words, and so may the
    sign of an amount.
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
    """Whether a translation lost nothing that it must hold, and has no tag, link or placeholder that it made up."""
    invented = (item for item in missing(translation, source) if not NUMBER.fullmatch(item))
    return not missing(source, translation) and next(invented, None) is None


def around(text: str) -> list[Segment]:
    """A sentence cut at all that must be kept, to translate what is between."""
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
    """Whether a sentence ends at this . ! ? or …, by the words on both sides."""
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
    """A sentence apart from the space and the emoji around it, if there are words in it."""
    found = CORE.fullmatch(text) if WORD.search(KEPT.sub("", text)) else None
    parts = [Segment(found[i], i == 2) for i in (1, 2, 3)] if found else [Segment(text, False)]
    return [part for part in parts if part.text]


def _key(item: str) -> str:
    """What it is compared by: 1,000 is 1000 and 1.75 is 1,75, but not 175; 05 is 5; of an amount, its sign counts."""
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
