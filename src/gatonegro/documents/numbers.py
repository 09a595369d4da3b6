"""Numbers of a text, in digits, words and Roman numerals, read by the conventions of its language.

The data are in `numbers.json`. Decimal and grouping symbols are those of Unicode CLDR, and so are number words, with
spellings beside them that are not standard. Words that are ambiguous, such as "segundo", count less certainly; so do
those that imply a number, such as "docena", and a scale before a figurative word, such as "mil gracias". Every function
takes time linear in the length of its text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

NUMBER_DATA = json.loads(Path(__file__).with_name("numbers.json").read_text(encoding="utf-8"))
SPACES = " \u00a0\u2009\u202f"
DIGITS = rf"(?:\d{{1,3}}(?:[{SPACES}]\d{{3}}(?!\d))+|\d+)(?:[.,:'’]\d+)*"  # 1000  1,000  1.000,5  1 000  10:30
SPACE = re.compile(f"[{SPACES}]")
SIMPLE = re.compile(r"(\d+)(?:([.,'])(\d+))?")
GROUPED = re.compile(r"(\d{1,3}(?: \d{3})+|[1-9]\d{0,2}([.,'])\d{3}(?:\2\d{3})*)(?:(?!\2)[.,'](\d+))?")
BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
ADDRESS = re.compile(rf"{BYTE}(?:\.{BYTE}){{3}}")  # 192.168.1.1
# numbers of months in Spanish and English
MONTHS = {name: n % 12 + 1 for n, name in enumerate(NUMBER_DATA["months"].split())}
HOUR, AFTERNOON = re.compile(r"(?:[1-9]|1[01])(?:\.\d\d?)?"), re.compile(NUMBER_DATA["afternoon"], re.IGNORECASE)
TOKEN_PATTERN = re.compile(rf"{DIGITS}|[^\W\d_]+")
WORD_GAPS = (" ", "-", "\u00a0", "\u2011")
MAX_WORDS = 40  # of a number
MAX_FACTOR_DIGITS = 15  # of digits before a word, as in 1.5 million; Decimal computes with 28
ROMAN = {
    ten + one: 10 * tens + ones
    for tens, ten in enumerate(["", "X", "XX", "XXX"])
    for ones, one in enumerate(["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"])
}  # "" and up to XXXIX


class Number(NamedTuple):
    """A number in a text, with its span there. It is certain if no translation may lack its value."""

    start: int
    end: int
    value: str
    certain: bool = True
    kind: str = "digits"  # or word, ordinal, roman


def _values(rows: Iterable[tuple[int, int, str]], endings: Sequence[str]) -> dict[str, int]:
    """Return the values of words. A row has a first value, a step, and words for the values from there on.

    Forms of a word stand between "|", and a form such as "cuart-" stands for the stem with each of several endings.
    """
    return {
        form.removesuffix("-") + ending: first + n * step
        for first, step, words in rows
        for n, forms in enumerate(words.split())
        for form in forms.split("|")
        for ending in (endings if form.endswith("-") else [""])
    }


def _language_words(data: Mapping[str, Any]) -> dict[str, Any]:
    endings = data["endings"].split()
    tables = {
        name: _values(words, endings) if isinstance(words, list) else frozenset(words.split())
        for name, words in data.items()
    }
    first = {*tables["cardinals"], *tables["ordinals"], *tables["scales"]}
    joined = tables["ordinals"] if "y" in tables["and"] else {}  # vigésimo primero, beside treinta y uno
    return {**tables, "first": first, "joined": joined}


WORDS = {language: _language_words(data) for language, data in NUMBER_DATA["words"].items()}
SYMBOLS: dict[str, str] = {name: signs for signs, names in NUMBER_DATA["symbols"].items() for name in names.split()}


def base_language(language: str | None) -> str:
    """Return the language of a code such as "es_ES", or "" for None."""
    return re.split(r"[-_]", language or "")[0].lower()


def symbols_of(language: str | None) -> str:
    """Return the decimal and the grouping symbol of a language, or "" if they are unknown."""
    return SYMBOLS.get(base_language(language), "")


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
    digits = SPACE.sub(" ", digits).replace("’", "'")
    grouped, simple = GROUPED.fullmatch(digits), SIMPLE.fullmatch(digits)
    is_length = simple and simple[2] == "'" and decimal == "." and len(simple[3]) != 3  # 5'11"
    if is_length or ADDRESS.fullmatch(digits):
        return None
    if grouped and not (simple and simple[2] == decimal):
        return re.sub(r"\D", "", grouped[1]), grouped[3] or "", True
    return (simple[1], simple[3] or "", False) if simple else None


def digits_value(digits: str, decimal: str = "") -> str:
    """Return the value of a number in digits, as 1000 for 1,000 and 1.000, or 10.3 for 10:30."""
    read = read_digits(digits.replace(":", "."), decimal)
    return digits if read is None else plain(Decimal(f"{read[0]}.{read[1] or 0}"))


def spelled_numbers(text: str, language: str | None = None) -> list[Number]:
    """Return the numbers in words and Roman numerals of a text in Spanish or English, or by default in either.

    Numbers in digits before a word such as million are among them. Articles (un, una, one) and words with other
    meanings (segundo, second) are uncertain.
    """
    tables = [words for name, words in WORDS.items() if language is None or name == base_language(language)]
    tokens = list(TOKEN_PATTERN.finditer(text)) if tables else []
    return [number for words in tables for read in (_in_words, _roman) for number in read(text, tokens, words)]


def hour_value(text: str, number: Number) -> str | None:
    """Return the value on the clock of 24 hours of a time after noon, as 15.3 for the 3:30 of "3:30 pm", or None."""
    is_time = HOUR.fullmatch(number.value) and AFTERNOON.match(text, number.end)
    return plain(Decimal(number.value) + 12) if is_time else None


def _in_words(text: str, tokens: Sequence[re.Match[str]], tables: Mapping[str, Any]) -> Iterator[Number]:
    words = [token[0].lower() for token in tokens]
    gaps = [" ", *(text[before.end() : token.start()] for before, token in pairwise(tokens))]  # before each word
    i = 0
    while i < len(tokens):
        word, end = words[i], i
        if word in tables["first"] or word[0].isdecimal():
            value, end = _sum_words(words, gaps, i, tables)
        if end > i:
            is_idiom = word in tables["scales"] and words[end : end + 1] and words[end] in tables["figurative_before"]
            certain = value > 1 and not (end == i + 1 and (word in tables["ambiguous"] or is_idiom))  # mil gracias
            kind = "ordinal" if words[end - 1] in tables["ordinals"] else "word"
            yield Number(tokens[i].start(), tokens[end - 1].end(), plain(value), certain, kind)
        elif word in tables["implied"]:
            yield Number(*tokens[i].span(), str(tables["implied"][word]), certain=False, kind="word")
        i = max(end, i + 1)


def _sum_words(words: Sequence[str], gaps: Sequence[str], start: int, tables: Mapping[str, Any]) -> tuple[Decimal, int]:
    """Return the value of the longest number that begins with a word, and the index after its last word."""
    is_spanish = "y" in tables["and"]
    total, scale = Decimal(0), 0  # value up to the last scale, such as thousand, and that scale
    group: Decimal | None = None  # value of the words after it
    end, after_and = start, False
    for i in range(start, min(len(words), start + MAX_WORDS)):
        word, is_joined = words[i], end > start and words[i] in tables["joined"]
        if i > start and gaps[i] not in WORD_GAPS:
            break
        if i == start and word[0].isdecimal():
            read = read_digits(word)
            if read is None or len(word) > MAX_FACTOR_DIGITS:
                break
            group = Decimal(f"{read[0]}.{read[1] or 0}")
        elif word in tables["and"] and end == i > start:
            after_and = True
        elif word in tables["scales"] and not after_and:
            factor, count = tables["scales"][word], Decimal(1) if group is None else group
            is_alone = group is None and scale > factor and not is_spanish  # a million thousand
            if factor == 100 and 0 < count < 100:
                group = count * 100
            elif is_alone or factor in (100, scale) or (i == start and word in tables["plural_scales"]):
                break
            else:  # dos mil millones, un millón mil
                total = (total + (group or 0)) * factor if 0 < scale < factor else total + count * factor
                scale, group = factor, None
            end = i + 1
        else:
            value = tables["cardinals"].get(word, tables["ordinals"].get(word))
            if value is None or (is_joined and words[i - 1] not in tables["joined"]):
                break  # treinta segundos
            if after_and and scale and tables["scales"].get("".join(words[i + 1 : i + 2]), 0) >= scale:
                break  # two thousand and three thousand
            is_year = not (is_spanish or scale or after_and) and 10 < (group or 0) < 22 and 10 <= value < 100
            if not (is_year or _can_follow(value, group, after_and, is_joined, is_spanish)):
                break
            group = (group or Decimal(0)) * (100 if is_year else 1) + value  # nineteen eighty-four
            end, after_and = i + 1, False
            if word in tables["ordinals"] and value % 10:
                break
    return total + (group or 0), end


def _can_follow(value: int, group: Decimal | None, after_and: bool, is_joined: bool, is_spanish: bool) -> bool:
    """Return True if a value can follow another one below 1000, as 5 can follow 20 in twenty-five."""
    if group is None:
        return not after_and or value == 1 or not is_spanish  # mil y una noches
    if group % 100 == 0:
        return 0 < value < 100 and group > 0 and not (after_and and is_spanish)
    return group % 10 == 0 and 0 < value < 10 and (is_joined or (group % 100 >= 20 and after_and == is_spanish))


def _roman(text: str, tokens: Sequence[re.Match[str]], tables: Mapping[str, Any]) -> Iterator[Number]:
    """Yield Roman numerals: certain ones follow a name (Felipe VI) or stand by a word such as "century"."""
    for i, token in enumerate(tokens):
        if token[0] not in ROMAN or (token[0] == "I" and "and" in tables["and"]):
            continue
        before, after = tokens[i - 1] if i else None, tokens[i + 1][0].lower() if i + 1 < len(tokens) else ""
        gap = text[before.end() : token.start()] if before else ""
        by_word = before and before[0].lower() in tables["roman_before"] and gap in (" ", ". ", "\u00a0")
        by_name = before and gap == " " and before[0][0].isupper() and not before[0].isupper()
        certain = bool(by_word or by_name or after in tables["roman_after"])
        if certain or len(token[0]) > 1:
            yield Number(*token.span(), str(ROMAN[token[0]]), certain, kind="roman")
