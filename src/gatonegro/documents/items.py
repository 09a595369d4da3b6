"""Items of a text that a translation must preserve: numbers, links, tags, placeholders and the like."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gatonegro.documents.edits import EMOJI, disjoint
from gatonegro.documents.numbers import (
    AFTERNOON,
    DIGITS,
    MONTHS,
    Number,
    digits_value,
    hour_value,
    spelled_numbers,
    symbols_of,
)

ITEM_DATA = json.loads(Path(__file__).with_name("items.json").read_text(encoding="utf-8"))

EOL = r"\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"  # the line ends of str.splitlines
EMOJI_CHARS = "\u200b\u200d\u20e3\ufe0e\ufeff\U000e0020-\U000e007f" + EMOJI
TAG_PATTERN = rf"<(?:!--|[!/]?\w)[^<>{EOL}]*>"
CODE_TAG_PATTERN = rf"<(?:code|kbd|samp|tt)\b[^<>{EOL}]*>[^<>{EOL}]*</(?:code|kbd|samp|tt)>"
HOST = r"(?<![\w.@-])(?:[\w-]+\.)+(?:com|edu|gov|io|net|org)\b"
UNIT_SIGNS = ITEM_DATA["unit_signs"]  # the same in both languages; models misread them
PROTECTED = re.compile(
    rf"""{CODE_TAG_PATTERN} | {TAG_PATTERN} | \[(?:MASK|CLS|SEP|PAD|UNK|[A-Z]{{1,15}}_?\d{{1,9}}|\^\w{{1,31}})\]
    | (?<!\w)\w{{1,15}}<su[bp]>\w{{1,15}}</su[bp]>\w{{0,15}}
    | >>\w{{1,31}}<< | `[^`{EOL}]+` | &\#?\w{{1,31}}; | \[[ xX]\] | [{EMOJI_CHARS}]+
    | (?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+
    | (?: \b(?i:https?://|ftp://|www\.) | {HOST}/ )[^\s<>"«»“”`]*[\w/] | {HOST}(?![@.-]\w)
    | \$?\{{{{?[ ]?[\w.:!,\[\]-]*[ ]?\}}?\}} | %(?:\(\w+\)|\d+\$)?[-+\#\d.]*[sdifgxr@](?!\w) | (?<![\w$])\$[A-Za-z_]\w*
    | (?<!\w)(?: :[a-z][a-z\d_+-]*:(?!\w) | @\w+ | \#\d*[^\W\d]\w* )
    | (?<![\w.,])(?:\+\d{{1,3}}(?:[\ -]\d{{2,5}}){{2,6}}
        | \d{{2,3}}[\ -](?:\d{{3}}[\ -]){{0,3}}\d\d(?:[\ -]\d{{2,3}}){{1,3}})(?!\w)
    | (?<![\w.,])(?:[$£€]\ ?)?{DIGITS}(?:[ \u00a0\u202f]?(?:[%€£$]|°[CF]?(?!\w)|{UNIT_SIGNS}))?(?!\w)
    | (?<![\w.,-])(?=(?:[A-Z.]{{0,15}}\d){{3}})[A-Z\d]+(?:[.-][A-Z\d]+)*(?![\w-]|\.\w)""",
    re.VERBOSE,
)
AMOUNT_PATTERN = re.compile(rf"([$£€]?) ?({DIGITS})[ \u00a0\u202f]?([%€£$]|°[CF]?|{UNIT_SIGNS}|)")
UNIT_WORDS = {sign: re.compile(words, re.IGNORECASE) for sign, words in ITEM_DATA["unit_words"].items()}
LOOSE_WORDS = frozenset(ITEM_DATA["loose_words"].split())
NUMBER, DIGIT, WORD = re.compile(DIGITS), re.compile(r"\d"), re.compile(r"[^\W\d_]+")
DATE = re.compile(r"(?<!\d)\d\d?([./-])\d\d?\1\d{2,4}(?!\d)")  # 12/03/2020
ORDINAL_PATTERN = re.compile(r"(?<![\w.,])(\d{1,4})(?:st|nd|rd|th|\.?[ºª]|\.[oa])(?!\w)")  # 3rd  3.º  2.ª


def protected_items(text: str) -> list[str]:
    """Return the items of a text that a translation must preserve, such as numbers, links and tags, in order.

    These are tags, entities, `code`, links, mail addresses, placeholders ({x}, {{x}}, ${x}, $x, %s, %(x)d, :x:),
    @mentions, #hashtags, emoji, and numbers outside words.
    """
    return [match[0] for match in PROTECTED.finditer(text)]


def lost_items(source: str, translation: str) -> list[str]:
    """Return the links, tags and other protected items of a source text that its translation lacks.

    An amount such as 30 % is lacking if its sign is, and no word stands for it; `changed_numbers` compares numbers. An
    item is returned as often as it is lacking.
    """
    available = Counter(map(_sign, protected_items(translation)))
    lost = []
    for item in protected_items(source):
        sign = _sign(item)
        available[sign] -= 1
        if sign and available[sign] < 0 and not (sign in UNIT_WORDS and UNIT_WORDS[sign].search(translation)):
            lost.append(item)
    return lost


def preserves_items(source: str, translation: str) -> bool:
    """Return True if a translation keeps all items but numbers, adds none, and has words beside them."""
    changed = lost_items(source, translation) or lost_items(translation, source)
    return not changed and keeps_text_between(source, translation)


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
        any(map(str.isalpha, new))
        or not any(map(str.isalpha, old))
        or (i in edges and old.strip().lower() in LOOSE_WORDS)
        for i, (old, new) in enumerate(zip(between, translated, strict=True))
    )


def _around_items(text: str) -> tuple[list[str], list[str]]:
    """Return the items of a text that are no numbers, in order, and the text around them."""
    items = [match for match in PROTECTED.finditer(text) if not AMOUNT_PATTERN.fullmatch(match[0])]
    starts, ends = [match.end() for match in items], [match.start() for match in items]
    return [m[0] for m in items], [text[a:b] for a, b in zip([0, *starts], [*ends, len(text)], strict=True)]


def number_values(text: str, language: str | None = None, decimal: str | None = None) -> list[str]:
    """Return the values of a text's numbers that no translation may lack, in order, as "1000", "2.5" or "10.3" (10:30).

    These are numbers in digits, words and Roman numerals, and ordinals. Articles (un, one), words with other meanings
    (segundo) and what stands in links, code and placeholders are left out.

    Args:
        text: a sentence or document.
        language: language of its number words, such as "es"; None: Spanish and English.
        decimal: its decimal symbol, "." or ","; None: the language's. Where it has none, 1.000 and 1,000 are both a
            thousand.
    """
    return [number.value for number in find_numbers(text, language, decimal) if number.certain]


def has_words(text: str) -> bool:
    """Return True if a text has letters outside its protected items."""
    return any(map(str.isalpha, PROTECTED.sub("", text)))


def mask_items(text: str) -> str:
    """Return a text of the same length without links, tags, code and the like; its numbers stay."""
    return PROTECTED.sub(lambda item: item[0] if AMOUNT_PATTERN.fullmatch(item[0]) else "\0" * len(item[0]), text)


def find_numbers(text: str, language: str | None = None, decimal: str | None = None) -> list[Number]:
    """Return the numbers of a text in order, as `number_values` does, with their spans, and uncertain ones too."""
    decimal = (symbols_of(language) or " ")[0] if decimal is None else decimal
    text = mask_items(text)
    found = spelled_numbers(text, language)
    found += [Number(*match.span(), digits_value(match[1])) for match in ORDINAL_PATTERN.finditer(text)]
    found += [Number(*match.span(), digits_value(match[0], decimal)) for match in amounts(text)]
    return disjoint(found)


def amounts(text: str) -> list[re.Match[str]]:
    """Return the matches of the numbers in digits of a text, outside links and the like."""
    if not DIGIT.search(text):
        return []
    items = (item for item in PROTECTED.finditer(text) if AMOUNT_PATTERN.fullmatch(item[0]))
    return [number for item in items if (number := NUMBER.search(text, *item.span()))]


def changed_numbers(
    source: str, translation: str, source_language: str | None = None, target_language: str | None = None
) -> tuple[list[str], list[str]]:
    """Return the values of the certain numbers of either side, in digits or words, that the other side lacks."""
    here, there = find_numbers(source, source_language, ""), find_numbers(translation, target_language, "")
    return _lacking(here, source, there, translation), _lacking(there, translation, here, source)


def _lacking(numbers: Sequence[Number], text: str, others: Sequence[Number], other_text: str) -> list[str]:
    available = {number.value for number in others}.union(*(_parts(other_text, number) for number in others))
    available.update(afternoon_values(other_text).values(), map(digits_value, NUMBER.findall(other_text)))  # 5kg
    if DATE.search(text) or DATE.search(other_text):
        available.update(str(MONTHS[word]) for word in WORD.findall(other_text.lower()) if word in MONTHS)
    hours = afternoon_values(text)
    return [
        number.value
        for number in numbers
        if number.certain and available.isdisjoint((number.value, hours.get(number.value, number.value)))
        if not available.issuperset(_parts(text, number) or [number.value])  # half past three, 3 May 2026
    ]


def _parts(text: str, number: Number) -> set[str]:
    """Return the values of the parts of a time or date, such as 15:30 or 3.5.2026, which may stand apart."""
    digits = text[number.start : number.end]
    is_divided = ":" in digits or number.value.count(".") == 2
    return {digits_value(part) for part in re.findall(r"\d+", digits)} if is_divided else set()


def afternoon_values(text: str) -> dict[str, str]:
    """Return the values of a text's times after noon on the clock of 24 hours, as 15.3 for 3.3 in "3:30 pm"."""
    numbers = find_numbers(text) if AFTERNOON.search(text) else ()
    return {number.value: value for number in numbers if (value := hour_value(text, number))}


def _sign(item: str) -> str:
    """Return the sign of an amount, as % for 30 %, or "" for a plain number; other items stay as they are."""
    amount = AMOUNT_PATTERN.fullmatch(item)
    return item if amount is None else amount[1] + amount[3]
