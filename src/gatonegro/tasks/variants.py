"""Variants of words and short phrases, which a model trained on sentences often copies or translates badly."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from gatonegro.documents import Direction, lower, upper
from gatonegro.generation import Generated

WORD = re.compile(r"\w+")
STOP = re.compile(r"[.!?…:;,]\W*$")
MAX_WORDS = 2  # of a short phrase
# A short phrase whose translation scores less is tried in lower case too, and a variant with this score is better.
# Of 60 everyday words and phrases, the built-in model then gives 41 as expected, and without variants 10.
MIN_SCORE = -0.7
MIN_COPY_SCORE = -1.0  # for the same of a variant where the translation is a copy


def is_copy(source: str, translation: str) -> bool:
    """Return True if a translation has the same words as its source."""
    words = WORD.findall(source.casefold())
    return bool(words) and words == WORD.findall(translation.casefold())


def variants(source: str, translation: str, score: float) -> list[str]:
    """Return other spellings of a source text that are worth trying: in lower case, with and without a full stop."""
    words, copied = WORD.findall(source), is_copy(source, translation)
    stop = STOP.search(source)
    shared = set(map(str.casefold, words)) & set(WORD.findall(translation.casefold()))
    is_spelled_otherwise = len(words) == 1 or source != _with_first(source, lower)
    is_weak = is_spelled_otherwise and len(words) <= MAX_WORDS and score < MIN_SCORE and (stop is None or shared)
    if not any(map(str.isalpha, source)) or not (copied or is_weak):
        return []
    base = source[: stop.start()] if stop and stop[0] == "." else source
    ends = ["", "."] if base != source or not stop else [""]
    starts = [_with_first(base, lower), base] if copied else [_with_first(base, lower)]
    return [text for text in dict.fromkeys(start + end for start in starts for end in ends) if text != source]


def best_variant(source: str, answers: Sequence[Generated], texts: Sequence[str], direction: Direction) -> int:
    """Return the index of the best of the answers to a text and to its variants, whose translations are `texts`."""
    copied = is_copy(source, texts[0])
    best, least = 0, max(answers[0].score, MIN_COPY_SCORE if copied else MIN_SCORE)
    for i, (answer, text) in enumerate(zip(answers, texts, strict=True)):
        words = WORD.findall(text.casefold())
        is_better = i > 0 and answer.score > least and len(set(words)) == len(words) > 0
        if is_better and answer.unfinished is None and not is_copy(source, text) and direction.preserves(source, text):
            best, least = i, answer.score
    return best


def like_source(source: str, translation: str) -> str:
    """Return the translation of a variant with the first capital and the final full stop of its source."""
    first = next((char for char in source if char.isalpha()), "")
    if first.isupper():
        translation = _with_first(translation, upper)
    if not STOP.search(source):
        return translation.removesuffix(".")
    return translation if STOP.search(translation) or not source.endswith(".") else translation + "."


def _with_first(text: str, change: Callable[[str], str]) -> str:
    """Change the first letter of a text."""
    at = next((i for i, char in enumerate(text) if char.isalpha()), 0)
    return text[:at] + change(text[at : at + 1]) + text[at + 1 :]
