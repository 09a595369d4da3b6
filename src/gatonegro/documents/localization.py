"""Conversion of a translation's numbers to the conventions of its language, such as 1.000,5 to 1,000.5.

Only signs with a certain meaning are converted. Versions, times, dates, addresses and phone numbers stay.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gatonegro.documents.edits import EditedText, edit
from gatonegro.documents.items import amounts, changed_numbers, find_numbers, mask_items, preserves_items
from gatonegro.documents.numbers import NUMBER_DATA, ROMAN, SPACES, base_language, digits_value, read_digits, symbols_of

WORD_LISTS = ("codes_after", "not_names", "units", "times")
CODES_AFTER, NOT_NAMES, UNITS, TIMES = (frozenset(NUMBER_DATA[name].split()) for name in WORD_LISTS)
ROMAN_WORD = re.compile(r"(?<!\w)[IVX]{2,7}(?!\w)")
MISPLACED_ROMAN = re.compile(
    r"(?<=[a-zà-ÿ])(?=(?P<joined>[IVX]{2,7})(?!\w))|(?<!\w)(?P<repeated>[IVX]{2,7})(?: (?P=repeated))+(?!\w)"
)
CENTURY_BEFORE = re.compile(r"(?:siglos?|\bss?\.) ?$")
EXPANSION_DATA = json.loads(Path(__file__).with_name("expansions.json").read_text(encoding="utf-8"))
WORD_BEFORE, WORD_AFTER = re.compile(r"(?<![^\W\d_])([^\W\d_]+)\.? $"), re.compile(r" ?([^\W\d_][\w./]*)")
CODE_BEFORE = re.compile(r"[^\W\d_]\w{0,9}-$")  # A4-1,500
# 12.345.678-Z, and more digits beside a number, as in 91 555 12 34
CODE_AFTER, DIGIT_BEFORE = re.compile(rf"-[^\W\d_](?!\w)|[{SPACES}]\d"), re.compile(rf"\d[{SPACES}]$")
PHONE_BEFORE = re.compile(
    r"(?i:\b(?:tel|tfno|phone|call|ll[aá]m|móvil|movil|mobile|fax|whatsapp)|\+\d)[^\n]{0,20}$|\+$"
)
PHONE = re.compile(rf"[6-9]\d\d(?:[{SPACES}]\d{{3}}){{2}}")  # 600 123 456
Expansion = tuple[re.Pattern[str], str]


@cache
def expansions(language: str) -> tuple[list[Expansion], list[Expansion], list[tuple[re.Pattern[str], ...]]]:
    """Return what models misread: patterns with their expansions, usual and rare, and pairs of a unit and its words."""
    data = EXPANSION_DATA.get(language, {"usual": [], "rare": [], "kept": [], "units": [], "ordinals": {}})
    usual, kept = [*data["usual"]], [*data["kept"]]
    for names, one, several, words in data["units"]:
        gap = f"[{SPACES}]" + "?" * (len(names.split()[0]) > 1)  # 5kg, but no 5m
        unit = rf"({gap}(?:{names.replace(' ', '|')}))(?![\w/²³'’-])"
        before = r"(?<![\w.,:'’/])" + r"(?<!\blas )" * (names == "h")  # a time of day
        usual += [[rf"{before}1{unit}", f" {one}"], [rf"{before}(?:\d+[.,])*\d+{unit}", f" {several}"]]
        kept += [[rf"\d{unit}", rf"(?<![^\W\d_])(?i:{words})"]] if words else []
    usual += [[rf"(?<![\w.,]){key[0]}\.?{key[1:]}(?!\w)", word] for key, word in data["ordinals"].items()]
    usual, rare = ([(re.compile(pattern), word) for pattern, word in pairs] for pairs in (usual, data["rare"]))
    return usual, rare, [tuple(map(re.compile, pair)) for pair in kept]


def decimal_symbol(text: str, language: str | None) -> str:
    """Return the decimal symbol of a document: its language's, unless most of its certain signs show the other.

    The result is "" for a language whose symbols are unknown.
    """
    usual = symbols_of(language)[:1]
    votes: Counter[str] = Counter()
    for number in amounts(text) if usual else ():
        digits = number[0]
        marks = re.findall("[.,]", digits)
        if len(marks) == 1 and {digits_value(digits, mark) for mark in ".,"} == {digits_value(digits)}:
            votes[marks[0]] += _is_measured(text, number)  # 3,5 %
        elif len(marks) > 1 and read_digits(digits) is not None:
            votes[marks[-1] if marks[-1] != marks[0] else ",."[marks[0] == ","]] += 1
    other = "." if usual == "," else ","
    return other if usual and votes[other] > votes[usual] else usual


@dataclass(frozen=True)
class Direction:
    """Direction of a translation, by whose rules numbers are read and written; None: an unknown language.

    `decimal` is the decimal symbol of the source document, as `decimal_symbol` returns it; "" converts no number.
    """

    source: str | None = None
    target: str | None = None
    decimal: str = ""

    def localize(self, translation: str, source: str) -> EditedText:
        """Write the numbers of a translation that have the value of one in its source by the target language's rules.

        A number is grouped if it is grouped in the source.

        >>> Direction("es", "en", ",").localize("12.000 euros, at 10.30", "12.000 euros, a las 10.30").text
        '12,000 euros, at 10.30'
        """
        symbols = symbols_of(self.target)
        if not self.decimal or not symbols:
            return EditedText(translation)
        unused: dict[str, list[str]] = {}  # value of a number in the source → its digits here, or "" to leave them
        for number in amounts(source):
            written = _write(source, number, self.decimal, symbols)
            unused.setdefault(digits_value(number[0], self.decimal), []).append(written)
        replacements = _roman_repairs(translation, source)
        for number in amounts(translation):
            values = (digits_value(number[0], mark) for mark in (self.decimal, symbols[0], ""))
            written = next((unused[value].pop(0) for value in values if unused.get(value)), "")
            if written and written != number[0]:
                replacements.append((*number.span(), written))
        return edit(translation, replacements)

    def readings(self, source: str) -> list[EditedText]:
        """Return the forms of a sentence that a model may read, best first; the sentence itself is one of them.

        In the first, abbreviations and units that models misread are spelled out, and decimals get a point where the
        translation has one. In the second, decimals stay; in the third, number words and centuries are digits; in the
        fourth, abbreviations that models usually know are spelled out.
        """
        language, symbols = base_language(self.source), symbols_of(self.target)
        masked = mask_items(source)
        usual, rare = (
            [(*m.span(m.re.groups), expansion) for pattern, expansion in pairs for m in pattern.finditer(masked)]
            for pairs in expansions(language)[:2]
        )
        numbers = [
            (*number.span(), written)
            for number in (amounts(source) if symbols[:1] == "." and self.decimal == "," else ())
            if (written := _write(source, number, self.decimal, symbols)) not in ("", number[0])
        ]
        digits = [
            (n.start, n.end, n.value)
            for n in find_numbers(source, language)
            if n.certain and (n.kind == "word" or CENTURY_BEFORE.search(source, max(0, n.start - 8), n.start))
            if n.value.isdecimal() and not source[n.start].isdecimal()
        ]
        forms: dict[str, EditedText] = {}
        for edits in (numbers + usual, usual, digits + numbers + usual, rare + numbers + usual, []):
            form = edit(source, edits)
            forms.setdefault(form.text, form)
        return list(forms.values())

    def preserves(self, source: str, translation: str) -> bool:
        """Return True if a translation has the numbers, units and items of its source, and words beside the items."""
        masked = mask_items(source)
        kept = expansions(base_language(self.source))[2]
        return (
            not changed_numbers(source, translation, self.source, self.target)[0]
            and preserves_items(source, translation)
            and not any(unit.search(masked) and not words.search(translation) for unit, words in kept)
        )

    def loses_items(self, source: str, translation: str) -> bool:
        """Return True if a translation lacks what can be copied: an item, or a number in digits or Roman numerals."""
        lost = changed_numbers(source, translation, self.source, self.target)[0]
        numbers = find_numbers(source, self.source, "") if lost else ()
        is_copied = any(n.value in lost and n.kind in ("digits", "roman") for n in numbers)
        return is_copied or not preserves_items(source, translation)


def _roman_repairs(translation: str, source: str) -> list[tuple[int, int, str]]:
    """Return replacements of Roman numerals that a translation repeats (VI VI) or joins to a name (PabloII)."""
    return [
        (*found.span(), " " if found["joined"] else found["repeated"])
        for found in MISPLACED_ROMAN.finditer(translation)
        if (found["joined"] or found["repeated"]) in {*ROMAN_WORD.findall(source)} & ROMAN.keys()
        and (found["joined"] or found[0] not in source)
    ]


def _write(text: str, number: re.Match[str], decimal: str, symbols: str) -> str:
    """Write a number by the rules of a language, grouped if it was grouped; "" for one that is to stay."""
    read = read_digits(number[0], decimal)
    if read is None or _is_code(text, number, *read):
        return ""
    whole, fraction, grouped = read
    if grouped:
        first = len(whole) % 3 or 3
        whole = symbols[1].join([whole[:first], *re.findall("...", whole[first:])])
    return whole + symbols[0] * bool(fraction) + fraction


def _is_measured(text: str, number: re.Match[str]) -> bool:
    """Return True if a unit or a currency stands beside a number."""
    after = WORD_AFTER.match(text, number.end())
    signs = text[max(0, number.start() - 2) : number.start()] + text[number.end() : number.end() + 2]
    return any(sign in signs for sign in "$€£%°") or bool(after and after[1].rstrip(".").lower() in UNITS)


def _is_code(text: str, number: re.Match[str], whole: str, fraction: str, grouped: bool) -> bool:
    """Return True if a number may be a version, a chapter, a time, a verse or a phone number."""
    before, after = text[max(0, number.start() - 40) : number.start()], WORD_AFTER.match(text, number.end())
    word, following = WORD_BEFORE.search(before), after[1] if after else ""
    if CODE_BEFORE.search(before) or CODE_AFTER.match(text, number.end()) or PHONE.fullmatch(number[0]):
        return True
    if DIGIT_BEFORE.search(before) or (word is not None and word[1].lower() in CODES_AFTER):
        return True
    if len(whole + fraction) >= 7 and PHONE_BEFORE.search(before):
        return True
    if (grouped and not fraction) or _is_measured(text, number):
        return False
    if following.rstrip(".").lower() in TIMES and len(fraction) == 2:
        return True
    if word is None:  # 1.2 Introduction
        return "." in number[0] and not before.strip() and following[:1].isupper()
    return word[1][0].isupper() and word[1].lower() not in NOT_NAMES
