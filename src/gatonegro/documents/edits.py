"""Texts with replacements, and spans of characters mapped from one to the other."""

from __future__ import annotations

import re
from bisect import bisect, bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeVar

Span = TypeVar("Span", bound=tuple[Any, ...])  # begins with a start and an end
# control and format characters but tab and line ends; those of emoji and of joining scripts come first, and stay
EMOJI = "\u2190-\u2bff\ufe0f\U0001f000-\U0001faff"
INVISIBLE = re.compile(
    f"(\U0001f3f4[\U000e0020-\U000e007f]+|(?<=[{EMOJI}])\u200d(?=[{EMOJI}])|(?<=[\u0620-\u180d\u1820-\u1cff])[\u200c\u200d])|"
    r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    r"\ufeff\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)


@dataclass(frozen=True)
class EditedText:
    """A text with replacements, which maps spans from and to the original text."""

    text: str
    edits: tuple[tuple[int, int, int, int], ...] = ()  # span in the original, span here

    def from_original(self, start: int, end: int) -> tuple[int, int]:
        """Map a span of the original text to this text; part of a replacement maps to the whole."""
        return _moved(self.edits, start, end)

    def to_original(self, start: int, end: int) -> tuple[int, int]:
        """Map a span of this text to the original text; part of a replacement maps to the whole."""
        return _moved(self.edits, start, end, 2)


def _moved(edits: Sequence[Sequence[int]], start: int, end: int, at: int = 0) -> tuple[int, int]:
    """Map a span of the side of edits whose spans begin at index `at`, 0 or 2, to the other side."""
    first, last = bisect(edits, start, key=itemgetter(at)), bisect_left(edits, end, key=itemgetter(at))
    if first:
        _, b, c, d = (*edits[first - 1][at:], *edits[first - 1][:at])
        start = c if start < b else start + d - b
    if last:
        _, b, c, d = (*edits[last - 1][at:], *edits[last - 1][:at])
        end = d if end <= b else end + d - b
    return start, end


def edit(text: str, replacements: Iterable[tuple[int, int, str]]) -> EditedText:
    """Replace spans of a text; of those that overlap, the first, or the longest that begins there.

    Insertions, at empty spans, come before a replacement at their place, in the order in which they are given.
    """
    parts, edits, end, shift = [], [], 0, 0
    for start, stop, new in sorted(replacements, key=lambda edit: (edit[0], edit[0] < edit[1], -edit[1])):
        if start < end:
            continue
        parts += [text[end:start], new]
        if len(new) != stop - start:
            edits.append((start, stop, start + shift, start + shift + len(new)))
        end, shift = stop, shift + len(new) - (stop - start)
    return EditedText("".join([*parts, text[end:]]), tuple(edits))


def remove_invisible(text: str) -> EditedText:
    """Return a text without control and format characters (Unicode Cc, Cf), which models do not know.

    Tabs, line ends, and what joins emoji or the letters of some scripts stay; other white space becomes a space.
    """
    return edit(text, [(*m.span(), " " * m[0].isspace()) for m in INVISIBLE.finditer(text) if not m[1]])


def disjoint(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order; of those that overlap, the first, or the longest that begins there."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span[0], -span[1])):
        if span[1] > span[0] and (not kept or span[0] >= kept[-1][1]):
            kept.append(span)
    return kept
