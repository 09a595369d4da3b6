"""Conversion of a translation's numbers to the conventions of its language, such as 1.000,5 to 1,000.5.

Only signs with a certain meaning are converted. Versions, times, dates, addresses and phone numbers stay.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatonegro.documents.items import AMOUNT_PATTERN, NUMBER, PROTECTED, find_numbers, mask_items
from gatonegro.documents.numbers import (
    NUMBER_DATA,
    SPACES,
    SYMBOLS,
    base_language,
    digits_value,
    read_digits,
    roman_value,
)

WORD_LISTS = ("codes_after", "not_names", "units", "times")
CODES_AFTER, NOT_NAMES, UNITS, TIMES = (frozenset(NUMBER_DATA[name].split()) for name in WORD_LISTS)
CENTURY_BEFORE = re.compile(r"(?:siglos?|\bss?\.) ?$")
EXPANSION_DATA = json.loads(Path(__file__).with_name("expansions.json").read_text(encoding="utf-8"))
WORD_BEFORE, WORD_AFTER = re.compile(r"([^\W\d_]+)\.? $"), re.compile(r" ?([^\W\d_][\w./]*)")
CODE_BEFORE = re.compile(r"[^\W\d_]\w{0,9}-$")  # A4-1,500
PHONE_BEFORE = re.compile(r"(?i:\b(?:tel|tfno|phone|call|ll[aá]m|móvil|movil|mobile|fax|whatsapp)|\+\d)[^\n]{0,20}$")


def _units(units: Mapping[str, str]) -> Iterator[tuple[re.Pattern[str], str]]:
    """Yield patterns of units after a number, with what they are spelled as."""
    for unit, words in units.items():
        one, many = words.split(" ")
        after_number = rf"([{SPACES}]{'?' * (len(unit) > 1)}{unit})(?![\w/²³'’-])"
        before = r"(?<![\w.,:'’/])" + r"(?<!\blas )" * (unit == "h")  # a las 3 h
        yield re.compile(rf"{before}1{after_number}"), " " + one.replace("|", " ")
        yield re.compile(rf"{before}(?:\d+[.,])*\d+{after_number}"), " " + many.replace("|", " ")


def _compiled(pairs: Sequence[tuple[str, str]]) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), text) for pattern, text in pairs]


EXPANSIONS = {lang: [*_units(data["units"]), *_compiled(data["patterns"])] for lang, data in EXPANSION_DATA.items()}
RARE_EXPANSIONS = {lang: _compiled(data["rare_patterns"]) for lang, data in EXPANSION_DATA.items()}
KEPT = {lang: _compiled(data["kept"]) for lang, data in EXPANSION_DATA.items()}


@dataclass(frozen=True)
class EditedText:
    """A text with replacements, which maps spans from and to the original text."""

    text: str
    edits: tuple[tuple[int, int, int, int], ...] = ()  # span in the original, span here

    def from_original(self, start: int, end: int) -> tuple[int, int]:
        """Map a span of the original text to this text; part of a replacement maps to the whole."""
        return _map(start, end, self.edits)

    def to_original(self, start: int, end: int) -> tuple[int, int]:
        """Map a span of this text to the original text; part of a replacement maps to the whole."""
        return _map(start, end, [(c, d, a, b) for a, b, c, d in self.edits])


def _map(start: int, end: int, edits: Sequence[tuple[int, int, int, int]]) -> tuple[int, int]:
    new_start, new_end = start, end
    for a, b, c, d in edits:
        if a <= start:
            new_start = c if start < b else start + d - b
        if a < end:
            new_end = d if end <= b else end + d - b
    return new_start, new_end


def edit(text: str, replacements: list[tuple[int, int, str]]) -> EditedText:
    """Replace spans of a text; of those that overlap, the first, or the longest that begins there."""
    parts, edits, end, shift = [], [], 0, 0
    for start, stop, new in sorted(replacements, key=lambda replacement: (replacement[0], -replacement[1])):
        if start < end:
            continue
        parts += [text[end:start], new]
        if len(new) != stop - start:
            edits.append((start, stop, start + shift, start + shift + len(new)))
        end, shift = stop, shift + len(new) - (stop - start)
    return EditedText("".join([*parts, text[end:]]), tuple(edits))


def decimal_symbol(text: str, language: str | None) -> str:
    """Return the decimal symbol of a document: its language's, unless most of its certain signs show the other.

    The result is "" for a language whose symbols are unknown.
    """
    usual = SYMBOLS.get(base_language(language), "")[:1]
    votes: Counter[str] = Counter()
    for number in _amounts(text) if usual else ():
        digits = number[0]
        marks = re.findall("[.,]", digits)
        if len(marks) == 1 and {digits_value(digits, mark) for mark in ".,"} == {digits_value(digits)}:
            votes[marks[0]] += _is_measured(text, number)  # 3,5 %
        elif len(marks) > 1 and read_digits(digits) is not None:
            votes[marks[-1] if marks[-1] != marks[0] else ",."[marks[0] == ","]] += 1
    other = "." if usual == "," else ","
    return other if usual and votes[other] > votes[usual] else usual


def localize_numbers(translation: str, source: str, decimal: str, language: str | None) -> EditedText:
    """Write the numbers of a translation that have the value of one in its source by the target language's rules.

    >>> localize_numbers("12.000 euros, at 10.30", "12.000 euros, a las 10.30", ",", "en").text
    '12,000 euros, at 10.30'

    Args:
        translation: a translated sentence.
        source: its source sentence. A number is grouped if it is grouped there.
        decimal: the decimal symbol of the source document, as `decimal_symbol` returns it; "" changes nothing.
        language: language of the translation.
    """
    symbols = SYMBOLS.get(base_language(language))
    if not decimal or symbols is None:
        return EditedText(translation)
    unused: dict[str, list[str]] = {}  # value of a number in the source → its digits here, or "" to leave them
    for number in _amounts(source):
        written = "" if _is_code(source, number, decimal) else _write(number[0], decimal, symbols)
        unused.setdefault(digits_value(number[0], decimal), []).append(written)
    replacements = _roman_repairs(translation, source)
    for number in _amounts(translation):
        readings = (digits_value(number[0], mark) for mark in (decimal, symbols[0], ""))
        written = next((unused[value].pop(0) for value in readings if unused.get(value)), "")
        if written and written != number[0]:
            replacements.append((*number.span(), written))
    return edit(translation, replacements)


def readings(source: str, language: str | None, decimal: str, target: str | None) -> list[EditedText]:
    """Return the forms of a sentence that a model may read, best first; the last one is the sentence itself.

    In the first, abbreviations and units that models misread are spelled out, and decimals get a point where the
    translation has one. In the second, decimals stay; in the third, number words and centuries are digits; in the
    fourth, abbreviations that models usually know are spelled out.
    """
    language = base_language(language)
    symbols = SYMBOLS.get(base_language(target), "")
    masked = mask_items(source)
    expanded, rare = (
        [
            (*found.span(pattern.groups), expansion)
            for pattern, expansion in table.get(language, ())
            for found in pattern.finditer(masked)
        ]
        for table in (EXPANSIONS, RARE_EXPANSIONS)
    )
    numbers = [
        (*number.span(), _write(number[0], decimal, symbols))
        for number in _amounts(source)
        if symbols[:1] == "." and decimal == "," and not _is_code(source, number, decimal)
    ]
    numbers = [number for number in numbers if number[2] != source[number[0] : number[1]]]
    digits = [
        (n.start, n.end, n.value)
        for n in find_numbers(source, language)
        if n.certain and (n.kind == "word" or CENTURY_BEFORE.search(source, max(0, n.start - 8), n.start))
        if n.value.isdecimal() and not source[n.start].isdigit()
    ]
    usual = numbers + expanded
    forms = [edit(source, edits) for edits in (usual, expanded, digits + usual, rare + usual, [])]
    return [form for i, form in enumerate(forms) if form.text not in {other.text for other in forms[:i]}]


def lost_units(source: str, translation: str, language: str | None) -> list[str]:
    """Return the units and abbreviations of a source sentence, such as 3 kg, that its translation lacks."""
    source = mask_items(source)
    known = ((pattern.search(source), kept) for pattern, kept in KEPT.get(base_language(language), ()))
    return [found[0] for found, kept in known if found and not re.search(kept, translation)]


def _roman_repairs(translation: str, source: str) -> list[tuple[int, int, str]]:
    """Return replacements of Roman numerals that a translation repeats (VI VI) or joins to a name (PabloII)."""
    repairs: dict[tuple[int, int], str] = {}
    for roman in {token for token in re.findall(r"(?<!\w)[IVXLCDM]{2,}(?!\w)", source) if roman_value(token)}:
        for found in re.finditer(rf"(?<=[a-zà-ÿ])(?={roman}(?!\w))|(?<!\w){roman}(?: {roman})+(?!\w)", translation):
            if not found[0] or found[0] not in source:
                repairs[found.span()] = roman if found[0] else " "
    return [(*span, new) for span, new in repairs.items()]


def _amounts(text: str) -> list[re.Match[str]]:
    """Return the matches of the numbers in digits of a text, outside links and the like."""
    items = (item for item in PROTECTED.finditer(text) if AMOUNT_PATTERN.fullmatch(item[0]))
    return [number for item in items if (number := NUMBER.search(text, *item.span()))]


def _write(digits: str, decimal: str, symbols: str) -> str:
    """Write a number by the rules of a language, grouped if it was grouped; other digits are returned as they are."""
    read = read_digits(digits, decimal)
    if read is None:
        return digits
    whole, fraction, grouped = read
    if grouped:
        first = len(whole) % 3 or 3
        whole = symbols[1].join([whole[:first], *(whole[i : i + 3] for i in range(first, len(whole), 3))])
    return whole + symbols[0] * bool(fraction) + fraction


def _is_measured(text: str, number: re.Match[str]) -> bool:
    """Return True if a unit or a currency stands beside a number."""
    after = WORD_AFTER.match(text, number.end())
    signs = text[max(0, number.start() - 2) : number.start()] + text[number.end() : number.end() + 2]
    return any(sign in signs for sign in "$€£%°") or bool(after and after[1].rstrip(".").lower() in UNITS)


def _is_code(text: str, number: re.Match[str], decimal: str) -> bool:
    """Return True if a number may be a version, a chapter, a time, a verse or a phone number."""
    digits = number[0]
    read = read_digits(digits, decimal)
    if read is None:
        return True
    whole, fraction, grouped = read
    before, after = text[max(0, number.start() - 40) : number.start()], WORD_AFTER.match(text, number.end())
    if CODE_BEFORE.search(before):
        return True
    if len(whole + fraction) >= 7 and (before.endswith("+") or PHONE_BEFORE.search(before)):
        return True
    if len(re.findall(rf"[{SPACES}]\d{{3}}", digits)) == 2 and len(whole) == 9 and whole[0] in "6789":
        return True  # 600 123 456
    if _is_measured(text, number) or (grouped and not fraction):
        return False
    if after and after[1].rstrip(".").lower() in TIMES and len(fraction) == 2:
        return True
    word = WORD_BEFORE.search(before)
    if word is None:
        return "." in digits and not before.strip() and bool(after and after[1][0].isupper())  # 1.2 Introduction
    lower = word[1].lower()
    return lower in CODES_AFTER or (word[1][0].isupper() and lower not in NOT_NAMES)
