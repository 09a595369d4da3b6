"""Texts with replacements, and spans of characters mapped from one to the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class EditedText:
    """A text with replacements, which maps spans from and to the original text."""

    text: str
    edits: tuple[tuple[int, int, int, int], ...] = ()  # span in the original, span here

    def from_original(self, start: int, end: int) -> tuple[int, int]:
        """Map a span of the original text to this text; part of a replacement maps to the whole."""
        new_start, new_end = start, end
        for a, b, c, d in self.edits:
            if a <= start:
                new_start = c if start < b else start + d - b
            if a < end:
                new_end = d if end <= b else end + d - b
        return new_start, new_end

    def to_original(self, start: int, end: int) -> tuple[int, int]:
        """Map a span of this text to the original text; part of a replacement maps to the whole."""
        return EditedText("", tuple((c, d, a, b) for a, b, c, d in self.edits)).from_original(start, end)


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
