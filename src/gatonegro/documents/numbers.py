"""Numbers of a text, in digits, words and Roman numerals, read by the conventions of its language.

The data are in `numbers.json`. Decimal and grouping symbols are those of Unicode CLDR; number words are those of
CLDR's spelling rules and of RAE's Ortografía. Every function takes time linear in the length of its text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

NUMBER_DATA = json.loads(Path(__file__).with_name("numbers.json").read_text(encoding="utf-8"))
SPACES = " \u00a0\u2009\u202f"
DIGITS = rf"(?:\d{{1,3}}(?:[{SPACES}]\d{{3}}(?!\d))+|\d+)(?:[.,:'’]\d+)*"  # 1000  1,000  1.000,5  1 000  10:30
SEPARATOR = re.compile(rf"[{SPACES}.,:'’]")
TOKEN_PATTERN = re.compile(rf"{DIGITS}|[^\W\d_]+")
ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


@dataclass(frozen=True)
class Number:
    """A number in a text, with its span there. It is certain if no translation may lack its value."""

    start: int
    end: int
    value: str
    certain: bool = True
    spelled: bool = False  # in words


def _values(table: Mapping[str, str]) -> dict[str, int]:
    return {word: int(value) for value, words in table.items() for word in words.split()}


def _language_words(data: Mapping[str, Any]) -> dict[str, Any]:
    tables = {name: _values(data[name]) for name in ("cardinals", "ordinals", "scales", "loose")}
    lists = {name: frozenset(data[name].split()) for name in ("vague", "plural_scales", "roman_before", "roman_after")}
    return {"and": data["and"], **tables, **lists}


WORDS = {language: _language_words(data) for language, data in NUMBER_DATA["words"].items()}
SYMBOLS: dict[str, str] = NUMBER_DATA["symbols"]  # decimal and grouping symbol of a language


def base_language(language: str | None) -> str:
    """Return the language of a code such as "es_ES", or "" for None."""
    return re.split(r"[-_]", language or "")[0].lower()


def plain(value: Decimal) -> str:
    """Return the shortest digits of a value, as 2.5 for 2.50."""
    digits = format(value, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def read_digits(digits: str, decimal: str = "") -> tuple[str, str, bool] | None:
    """Return the whole part and the fraction of a number in digits, and True if its digits are grouped.

    The result is None for times, dates, versions, addresses and the like.

    >>> read_digits("2.500,75"), read_digits("1.500", ","), read_digits("1.500", "."), read_digits("10:30")
    (('2500', '75', True), ('1500', '', True), ('1', '500', False), None)

    Args:
        digits: a match of `DIGITS`.
        decimal: the decimal symbol of its text, "." or ",". It decides about a symbol before three last digits, which
            is a grouping symbol where `decimal` is empty.
    """
    whole, *groups = re.split(rf"[{SPACES}]", digits)
    spaced = bool(groups)
    first, *parts = re.split(r"[.,:'’]", whole + "".join(groups))
    marks = "".join(re.findall(r"[.,:'’]", digits)).replace("’", "'")
    if ":" in marks or (spaced and len(marks) > 1):
        return None
    if not marks:
        return first, "", spaced
    threes = all(len(part) == 3 for part in parts[:-1]) and len(first) <= 3 and first != "0"
    if len(marks) == 1:
        if spaced or not threes or len(parts[0]) != 3 or marks == decimal:
            return first, parts[0], spaced
        return first + parts[0], "", True
    if not threes or len(set(marks[:-1])) > 1 or first[0] == "0":
        return None
    if marks[-1] != marks[0]:
        return first + "".join(parts[:-1]), parts[-1], True
    is_address = marks == "..." and all(int(part) < 256 for part in (first, *parts))
    return None if len(parts[-1]) != 3 or is_address else (first + "".join(parts), "", True)


def digits_value(digits: str, decimal: str = "") -> str:
    """Return the value of a number in digits, as 1000 for 1,000 and 1.000, or 10:30 for 10:30."""
    read = read_digits(digits, decimal)
    return digits if read is None else plain(Decimal(f"{read[0]}.{read[1] or 0}"))


def spelled_numbers(text: str, language: str) -> Iterator[Number]:
    """Yield the numbers in words of a Spanish or English text, and those in digits before a word such as million.

    Articles (un, una, one) and words with other meanings (segundo, second) are uncertain.
    """
    tokens = list(TOKEN_PATTERN.finditer(text)) if language in WORDS else []
    i = 0
    while i < len(tokens):
        number, used = _read_words(text, tokens, i, WORDS[language])
        if number is not None:
            yield number
        i += max(used, 1)


def _read_words(text: str, tokens: list[re.Match[str]], i: int, words: Mapping[str, Any]) -> tuple[Number | None, int]:
    """Return the number in words at a token, and how many tokens it takes."""
    cardinals, ordinals, scales = words["cardinals"], words["ordinals"], words["scales"]
    total, scale, used, end = Decimal(0), 0, 0, 0
    group: Decimal | None = None  # the value below the last scale
    certain, after_and = True, False
    first = tokens[i][0].lower()
    for j in range(i, min(i + 40, len(tokens))):
        word = tokens[j][0].lower()
        if j > i and text[tokens[j - 1].end() : tokens[j].start()] not in (" ", "-", "\u00a0", "\u2011"):
            break
        if word == words["and"] and used == j - i > 0:
            after_and = True
            continue
        value = cardinals.get(word, ordinals.get(word))
        if j == i and word[0].isdigit():
            following = tokens[i + 1][0].lower() if i + 1 < len(tokens) else ""
            read = read_digits(word) if following in scales else None
            if read is None:
                break
            group = Decimal(f"{read[0]}.{read[1] or 0}")
        elif word in scales and not after_and:
            if j == i and word in words["plural_scales"]:
                break
            factor = scales[word]
            if factor == 100:
                if group is not None and not 0 < group < 100:
                    break
                group = (Decimal(1) if group is None else group) * 100
            elif scale and factor > scale:
                total, group = (total + (group or 0)) * factor, None
            elif factor == scale or (group is None and used):
                break
            else:
                total, group = total + (1 if group is None else group) * factor, None
            scale = factor if factor != 100 else scale
        elif value is not None and _follows(group, value, after_and, words["and"] == "y", bool(scale)):
            if group is not None and 10 <= group < 100 <= group + 90 and value >= 10 and not after_and:
                group *= 100  # nineteen eighty-four
            group = (group or 0) + value
        else:
            break
        used, end, after_and = j - i + 1, tokens[j].end(), False
        if word in ordinals and word not in cardinals:
            certain = used > 1 or word not in words["vague"]
            break
    if not used:
        if first in words["loose"]:
            return Number(*tokens[i].span(), str(words["loose"][first]), certain=False, spelled=True), 1
        return None, 1
    value = plain(total + (group or 0))
    return Number(tokens[i].start(), end, value, certain and value not in ("0", "1"), spelled=True), used


def _follows(group: Decimal | None, value: int, after_and: bool, is_spanish: bool, scaled: bool) -> bool:
    """Return True if a number below 1000 can follow the words of `group`, as 5 follows 20 in "twenty-five"."""
    if group is None:
        return not after_and or not is_spanish  # one thousand and one
    if value >= 100:
        return False
    tens = group % 100
    if value < 10 and tens:
        return tens % 10 == 0 and tens >= 20 and after_and == is_spanish and value > 0
    if tens:  # nineteen eighty-four
        return not is_spanish and not scaled and 10 < group < 22 and value >= 10
    return value > 0 and group > 0 and after_and <= (not is_spanish)


def roman_value(numeral: str) -> int:
    """Return the value of a Roman numeral, or 0 if the letters are none."""
    if not ROMAN.fullmatch(numeral):
        return 0
    values = [ROMAN_VALUES[letter] for letter in numeral]
    return sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True))


def roman_numbers(text: str, language: str) -> Iterator[Number]:
    """Yield the Roman numerals of a text that follow a name (Felipe VI) or stand by a word such as "century"."""
    words = WORDS.get(language, {})
    tokens = list(TOKEN_PATTERN.finditer(text)) if words else []
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        value = roman_value(token[0])
        if not value or (token[0] == "I" and language == "en"):
            continue
        gap = text[before.end() : token.start()] if before else ""
        by_word = before and before[0].lower() in words["roman_before"] and gap in (" ", ". ", "\u00a0")
        by_name = before and gap == " " and before[0][0].isupper() and not before[0].isupper() and value < 40
        by_century = after and after[0].lower() in words["roman_after"]
        if ((by_word or by_century) and value < 40) or by_name:
            yield Number(*token.span(), str(value))
