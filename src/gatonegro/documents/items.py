"""Items of a text that a translation must preserve: numbers, links, tags, placeholders and the like."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

ITEM_DATA = json.loads(Path(__file__).with_name("items.json").read_text(encoding="utf-8"))
NUMBER_WORDS = {word: str(n) for n, words in enumerate(ITEM_DATA["number_words"]) for word in words.split()}

EOL = r"\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"  # the line ends of str.splitlines
EMOJI_CHARS = "\u200b\u200d\u20e3\u2190-\u2bff\ufe0e\ufe0f\ufeff\U0001f000-\U0001faff\U000e0020-\U000e007f"
TAG_PATTERN = rf"<(?:!--|[!/]?\w)[^<>{EOL}]*>"
CODE_TAG_PATTERN = rf"<(?:code|kbd|samp|tt)\b[^<>{EOL}]*>[^<>{EOL}]*</(?:code|kbd|samp|tt)>"
HOST = r"(?<![\w.@-])(?:[\w-]+\.)+(?:com|edu|gov|io|net|org)\b"
DIGITS = r"(?:\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3}(?!\d))+|\d+)(?:[.,:'’]\d+)*"  # 1000  1,000  1.000,5  1 000  10:30
PROTECTED = re.compile(
    rf"""{CODE_TAG_PATTERN} | {TAG_PATTERN} | \[(?:MASK|CLS|SEP|PAD|UNK|[A-Z]{{1,15}}_?\d{{1,9}}|\^\w{{1,31}})\]
    | (?<!\w)\w{{1,15}}<su[bp]>\w{{1,15}}</su[bp]>\w{{0,15}}
    | >>\w{{1,31}}<< | `[^`{EOL}]+` | &\#?\w{{1,31}}; | \[[ xX]\] | [{EMOJI_CHARS}]+
    | (?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+
    | (?: \b(?i:https?://|ftp://|www\.) | {HOST}/ )[^\s<>"«»“”`]*[\w/] | {HOST}(?![@.-]\w)
    | \$?\{{{{?[ ]?[\w.:!,\[\]-]*[ ]?\}}?\}} | %(?:\(\w+\)|\d+\$)?[-+\#\d.]*[sdifgxr@](?!\w) | (?<![\w$])\$[A-Za-z_]\w*
    | (?<!\w)(?: :[a-z][a-z\d_+-]*:(?!\w) | @\w+ | \#\d*[^\W\d]\w* )
    | (?<![\w.,])(?:[$£€]\ ?)?{DIGITS}(?:[ \u00a0\u202f]?(?:[%€£$]|°[CF]?(?!\w)))?(?!\w)
    | (?<![\w.,-])(?=(?:[A-Z]{{0,15}}\d){{3}})[A-Z\d]+(?:-[A-Z\d]+)*(?![\w-])""",
    re.VERBOSE,
)
AMOUNT_PATTERN = re.compile(rf"([$£€]?) ?({DIGITS})[ \u00a0\u202f]?([%€£$]|°[CF]?|)")
UNIT_WORDS = {sign: re.compile(words, re.IGNORECASE) for sign, words in ITEM_DATA["unit_words"].items()}
LOOSE_WORDS = frozenset(ITEM_DATA["loose_words"].split())
NUMBER, WORD_PATTERN = re.compile(DIGITS), re.compile(r"[^\W\d_]+")


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
    available = Counter(map(_normalize, protected_items(translation)))
    available |= Counter(map(_normalize, NUMBER.findall(translation)))
    available.update(NUMBER_WORDS[word] for word in WORD_PATTERN.findall(translation.lower()) if word in NUMBER_WORDS)
    for sign, words in UNIT_WORDS.items():
        if words.search(translation):
            available |= Counter({number + sign: n for number, n in available.items()})
    lost = []
    for item in protected_items(source):
        available[_normalize(item)] -= 1
        if available[_normalize(item)] < 0:
            lost.append(item)
    return lost


def preserves_items(source: str, translation: str) -> bool:
    """Return True if a translation keeps all protected items (links, tags…) and adds none but plain numbers."""
    invented = (item for item in lost_items(translation, source) if not NUMBER.fullmatch(item))
    return not lost_items(source, translation) and next(invented, None) is None


def keeps_text_between(source: str, translation: str) -> bool:
    """Return True if a translation has words wherever its source has words beside links, tags and other kept items.

    Numbers do not count, since they may move. An article or preposition before the first item or after the last one may
    be lacking, as in "La {city}".
    """
    before, between = _around_items(source)
    after, translated = _around_items(translation)
    if not before:
        return True
    edges = (0, len(before))
    return before == after and all(
        _has_words(new) or not _has_words(old) or (i in edges and old.strip().lower() in LOOSE_WORDS)
        for i, (old, new) in enumerate(zip(between, translated, strict=True))
    )


def _around_items(text: str) -> tuple[list[str], list[str]]:
    """Return the items of a text that are no numbers, in order, and the text around them."""
    items = [match for match in PROTECTED.finditer(text) if not AMOUNT_PATTERN.fullmatch(match[0])]
    starts, ends = [match.end() for match in items], [match.start() for match in items]
    return [m[0] for m in items], [text[a:b] for a, b in zip([0, *starts], [*ends, len(text)], strict=True)]


def _has_words(text: str) -> bool:
    return WORD_PATTERN.search(text) is not None


def _normalize(item: str) -> str:
    """Return a number or amount in a normal form, as 1000 for 1,000 or 1.75 for 1,75; other items stay as they are."""
    number = NUMBER.search(item)
    if number is None or not AMOUNT_PATTERN.fullmatch(item):
        return item
    first, *rest = re.split(r"\D", number[0])
    if any(len(group) != 3 for group in rest[:1]) or len(first) > 3:
        value = ".".join((first, *rest))  # a decimal fraction, a time, a date
    elif len(rest[-1] if rest else "000") != 3:
        value = "".join((first, *rest[:-1])) + "." + rest[-1]
    else:
        value = "".join((first, *rest))
    return (value.lstrip("0") or "0") + "".join(AMOUNT_PATTERN.fullmatch(item).group(1, 3)).strip()  # type: ignore[union-attr]
