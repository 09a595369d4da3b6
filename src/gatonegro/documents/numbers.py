"""Numbers of a text, in digits, words and Roman numerals, read by the conventions of its language.

The data are in `numbers.json`. Decimal and grouping symbols are those of Unicode CLDR, and so are number words, with
spellings beside them that are not standard. Every function takes time linear in the length of its text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

NUMBER_DATA = json.loads(Path(__file__).with_name("numbers.json").read_text(encoding="utf-8"))
SPACES = " \u00a0\u2009\u202f"
DIGITS = rf"(?:\d{{1,3}}(?:[{SPACES}]\d{{3}}(?!\d))+|\d+)(?:[.,:'’]\d+)*"  # 1000  1,000  1.000,5  1 000  10:30
SPACE = re.compile(f"[{SPACES}]")
TOKEN_PATTERN = re.compile(rf"{DIGITS}|[^\W\d_]+")
WORD_GAPS = (" ", "-", "\u00a0", "\u2011")
MAX_WORDS = 40  # of a number
MAX_FACTOR_DIGITS = 15  # of digits before a word, as in 1.5 million; Decimal computes with 28
ROMAN = {
    ten + one: 10 * tens + ones
    for tens, ten in enumerate(["", "X", "XX", "XXX"])
    for ones, one in enumerate(["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"])
}  # "" and up to XXXIX


@dataclass(frozen=True)
class Number:
    """A number in a text, with its span there. It is certain if no translation may lack its value."""

    start: int
    end: int
    value: str
    certain: bool = True
    kind: str = "digits"  # or word, ordinal, roman


def _values(table: Mapping[str, str]) -> dict[str, int]:
    return {word: int(value) for value, words in table.items() for word in words.split()}


def _language_words(data: Mapping[str, Any]) -> dict[str, Any]:
    tables = {name: _values(data[name]) for name in ("cardinals", "ordinals", "scales", "loose")}
    lists = {
        name: frozenset(data[name].split())
        for name in ("vague", "plural_scales", "idioms_after", "roman_before", "roman_after")
    }
    first = {*tables["cardinals"], *tables["ordinals"], *tables["scales"]}
    joined = tables["ordinals"] if data["and"] == "y" else {}  # vigésimo primero, beside treinta y uno
    return {"and": data["and"], "first": first, "joined": joined, **tables, **lists}


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
    whole, *groups = SPACE.split(digits)
    spaced = bool(groups)
    first, *parts = re.split(r"[.,:'’]", whole + "".join(groups))
    marks = "".join(re.findall(r"[.,:'’]", digits)).replace("’", "'")
    is_length = marks == "'" and decimal == "." and len(parts[0]) != 3  # 5'11"
    if ":" in marks or (spaced and len(marks) > 1) or is_length:
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
    is_address = marks == "..." and all(len(part) <= 3 and int(part) < 256 for part in (first, *parts))
    return None if len(parts[-1]) != 3 or is_address else (first + "".join(parts), "", True)


def digits_value(digits: str, decimal: str = "") -> str:
    """Return the value of a number in digits, as 1000 for 1,000 and 1.000, or 10.3 for 10:30."""
    read = read_digits(digits.replace(":", "."), decimal)
    return digits if read is None else plain(Decimal(f"{read[0]}.{read[1] or 0}"))


def spelled_numbers(text: str, language: str) -> list[Number]:
    """Return the numbers in words and Roman numerals of a Spanish or English text.

    Numbers in digits before a word such as million are among them. Articles (un, una, one) and words with other
    meanings (segundo, second) are uncertain.
    """
    tables = WORDS.get(language)
    tokens = list(TOKEN_PATTERN.finditer(text)) if tables else []
    return [*_in_words(text, tokens, tables), *_roman(text, tokens, tables)] if tables else []


def _in_words(text: str, tokens: Sequence[re.Match[str]], tables: Mapping[str, Any]) -> Iterator[Number]:
    words = [token[0].lower() for token in tokens]
    i = 0
    while i < len(tokens):
        word, used = words[i], 0
        if word in tables["first"] or word[0].isdecimal():
            gaps = (text[tokens[j - 1].end() : tokens[j].start()] for j in range(i + 1, len(tokens)))
            total, used = _sum_words(words[i : i + MAX_WORDS], gaps, tables)
        if used:
            following = words[i + used] if i + used < len(words) else ""
            is_idiom = word in tables["scales"] and following in tables["idioms_after"]  # mil gracias
            certain = total > 1 and not (used == 1 and (word in tables["vague"] or is_idiom))
            kind = "ordinal" if words[i + used - 1] in tables["ordinals"] else "word"
            yield Number(tokens[i].start(), tokens[i + used - 1].end(), plain(total), certain, kind)
        elif word in tables["loose"]:
            yield Number(*tokens[i].span(), str(tables["loose"][word]), certain=False, kind="word")
        i += max(used, 1)


def _sum_words(words: Sequence[str], gaps: Iterable[str], tables: Mapping[str, Any]) -> tuple[Decimal, int]:
    """Return the value of a number in words, and how many of the words, apart by `gaps`, it takes."""
    number, used, after_and = _Sum(tables["and"] == "y"), 0, False
    for i, (word, gap) in enumerate(zip(words, chain([" "], gaps), strict=False)):
        value = tables["cardinals"].get(word, tables["ordinals"].get(word))
        if gap not in WORD_GAPS:
            break
        if i == 0 and word[0].isdecimal():
            read = read_digits(word)
            if read is None or len(word) > MAX_FACTOR_DIGITS:
                break
            number.group = Decimal(f"{read[0]}.{read[1] or 0}")
        elif word == tables["and"] and used == i > 0:
            after_and = True
        elif word in tables["scales"]:
            if after_and or (i == 0 and word in tables["plural_scales"]) or not number.multiply(tables["scales"][word]):
                break
            used = i + 1
        elif after_and and tables["scales"].get("".join(words[i + 1 : i + 2]), 0) >= number.scale > 0:
            break  # two thousand and three thousand
        elif used and word in tables["joined"] and words[i - 1] not in tables["joined"]:
            break  # treinta segundos
        elif value is not None and number.add(value, after_and, joined=used > 0 and word in tables["joined"]):
            used, after_and = i + 1, False
            if word in tables["ordinals"] and value % 10:
                break
        else:
            break
    return number.value, used


@dataclass
class _Sum:
    """Value of a number's words, read from left to right."""

    is_spanish: bool
    total: Decimal = Decimal(0)
    scale: int = 0  # the last one, such as 1000
    group: Decimal | None = None  # the value after it

    @property
    def value(self) -> Decimal:
        return self.total + (self.group or 0)

    def multiply(self, factor: int) -> bool:
        """Read a word such as hundred, thousand or million, if it can follow."""
        group = Decimal(1) if self.group is None else self.group
        if factor == 100:
            fits = 0 < group < 100
            self.group = group * 100 if fits else self.group
            return fits
        if factor == self.scale or (self.scale > factor and self.group is None and not self.is_spanish):
            return False
        if self.scale and factor > self.scale:
            self.total = self.value * factor  # mil millones
        else:
            self.total += group * factor
        self.scale, self.group = factor, None
        return True

    def add(self, value: int, after_and: bool, joined: bool = False) -> bool:
        """Read a number below 1000, if it can follow, as 5 can follow 20 in twenty-five."""
        group = self.group or Decimal(0)
        if self.group is None:
            fits = not after_and or value == 1 or not self.is_spanish  # mil y una noches
        elif not group % 100:
            fits = 0 < value < 100 and group > 0 and not (after_and and self.is_spanish)
        elif value < 10:
            fits = group % 10 == 0 and value > 0 and (joined or (group % 100 >= 20 and after_and == self.is_spanish))
        else:  # nineteen eighty-four
            fits = not (self.is_spanish or self.scale or after_and) and 10 < group < 22 and value < 100
            group *= 100
        self.group = group + value if fits else self.group
        return fits


def _roman(text: str, tokens: Sequence[re.Match[str]], tables: Mapping[str, Any]) -> Iterator[Number]:
    """Yield Roman numerals: certain ones follow a name (Felipe VI) or stand by a word such as "century"."""
    for i, token in enumerate(tokens):
        if token[0] not in ROMAN or (token[0] == "I" and tables["and"] == "and"):
            continue
        before, after = tokens[i - 1] if i else None, tokens[i + 1][0].lower() if i + 1 < len(tokens) else ""
        gap = text[before.end() : token.start()] if before else ""
        by_word = before and before[0].lower() in tables["roman_before"] and gap in (" ", ". ", "\u00a0")
        by_name = before and gap == " " and before[0][0].isupper() and not before[0].isupper()
        certain = bool(by_word or by_name or after in tables["roman_after"])
        if certain or len(token[0]) > 1:
            yield Number(*token.span(), str(ROMAN[token[0]]), certain, kind="roman")
