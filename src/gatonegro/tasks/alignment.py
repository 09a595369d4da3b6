"""Word alignment between a source text and its translation from cross-attention, and marks placed by it."""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from gatonegro.documents import PROTECTED, Mark
from gatonegro.generation import Generated
from gatonegro.text_model import TextModel
from gatonegro.tokenization import Tokenizer

MapSpan = Callable[[int, int], tuple[int, int]]
WORD_OR_MARK = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
MIN_LINK_SHARE = 0.15  # of a target word's attention that links it to a source word
LENGTH_PENALTY = 0.2  # for each word that a marked run of a translation is longer or shorter than in the source


def add_attention(
    model: TextModel, source: Sequence[int], output: Generated, prefix: int, reverse_prefix: Sequence[int] | None
) -> Generated:
    """Return a copy of a translation with the attention of its tokens to the source tokens added.

    `prefix` is the length of the source's prefix. With `reverse_prefix`, the ids of the prefix in the reverse
    direction, the attention is the geometric mean of both directions.
    """
    eos_ids = model.generation_config.resolve().eos_ids
    target = [token for token in output.new_ids if token not in eos_ids]
    text = source[prefix:-1]
    if not target or not text:
        return replace(output, attention=np.zeros((len(target), len(text)), np.float32))
    attention = model.cross_attention(source, target)[:, prefix:-1]
    attention = attention / np.maximum(attention.sum(1, keepdims=True), 1e-9)
    if reverse_prefix is not None:
        reverse = model.cross_attention([*reverse_prefix, *target, source[-1]], text)[:, len(reverse_prefix) : -1]
        reverse = reverse / np.maximum(reverse.sum(1, keepdims=True), 1e-9)
        attention = np.sqrt(attention * reverse.T)
    return replace(output, attention=attention)


class Word(NamedTuple):
    """A word or punctuation mark of a text, with its character span."""

    text: str
    start: int
    end: int

    @property
    def is_mark(self) -> bool:
        """True if it is a punctuation mark."""
        return not self.text[0].isalnum()


@dataclass(frozen=True)
class WordAttention:
    """Attention of a translation's words to the words of its source."""

    source_words: list[Word]
    target_words: list[Word]
    scores: np.ndarray  # (target words, source words); 0 between a word and a punctuation mark

    @property
    def shares(self) -> np.ndarray:
        """The share of each source word in a target word's attention."""
        shares: np.ndarray = self.scores / np.maximum(self.scores.sum(1, keepdims=True), 1e-9)
        return shares

    def moved(self, source_span: MapSpan, target_span: MapSpan) -> WordAttention:
        """Return the same attention with the spans of the words mapped to another text on each side."""
        source_words = [Word(word.text, *source_span(word.start, word.end)) for word in self.source_words]
        target_words = [Word(word.text, *target_span(word.start, word.end)) for word in self.target_words]
        return replace(self, source_words=source_words, target_words=target_words)


def words_of(text: str, start: int = 0, end: int = sys.maxsize) -> list[Word]:
    """Return the words and punctuation marks of a text or of a stretch of it."""
    return [Word(match[0], *match.span()) for match in WORD_OR_MARK.finditer(text, start, end)]


def word_attention(
    tokenizer: Tokenizer, source: str, target_ids: Sequence[int], target: str, attention: np.ndarray, skip: bool = True
) -> WordAttention:
    """Add up the attention between tokens, the result of `add_attention`, to attention between words.

    With `skip`, `target` was decoded without special tokens.
    """
    source_spans = tokenizer(source, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    ends = [len(tokenizer.decode(list(target_ids[: i + 1]), skip_special_tokens=skip)) for i in range(len(target_ids))]
    target_spans = list(zip([0, *ends], ends, strict=False))
    source_words, target_words = (words_of(text) for text in (source, target))
    rows, columns = _token_words(target_spans, target_words), _token_words(source_spans, source_words)
    num_rows, num_columns = min(len(rows), len(attention)), min(len(columns), attention.shape[1])
    words = rows[:num_rows].T @ attention[:num_rows, :num_columns] @ columns[:num_columns]  # (words, words)
    # link marks only to marks, and words to words
    is_mark = [np.array([word.is_mark for word in side], bool) for side in (target_words, source_words)]
    return WordAttention(source_words, target_words, words * (is_mark[0][:, None] == is_mark[1]))


def word_links(words: WordAttention) -> list[dict[str, Any]]:
    """Return pairs of source and target words linked by attention, with their character spans and scores."""
    if not words.scores.size:
        return []
    shares = words.shares
    best = (shares == shares.max(1, keepdims=True)) | (words.scores == words.scores.max(0, keepdims=True))
    return [
        {
            "source": words.source_words[s].text,
            "target": words.target_words[t].text,
            "source_span": [words.source_words[s].start, words.source_words[s].end],
            "target_span": [words.target_words[t].start, words.target_words[t].end],
            "score": round(float(shares[t, s]), 4),
        }
        for t, s in np.argwhere(best & (shares >= MIN_LINK_SHARE)).tolist()
    ]


@dataclass
class _Scope:
    """A mark in the source and in the translation, and the marks that are already placed inside it."""

    source: Mark
    target: Mark
    inside: list[Mark] = field(default_factory=list)


def place_marks(marks: Sequence[Mark], source: str, target: str, words: WordAttention | None = None) -> list[Mark]:
    """Return the marks of a source sentence, outer ones first, at their places in its translation.

    A mark goes round the run of words that attends most to the marked words, inside the mark around it. Without
    `words`, marks go round the whole translation. A line break goes after the word nearest to its share of the text.
    """
    placed: list[Mark] = []
    around = [_Scope(Mark(0, len(source)), Mark(0, len(target)))]  # the whole text, and the marks that are open
    gaps = _gaps_for([mark.start / len(source) for mark in marks if mark.is_break], target)
    for mark in marks:
        if mark.is_break:
            at = next(gaps)
            placed.append(replace(mark, start=at, end=min(at + 1, len(target))))
            continue
        while len(around) > 1 and mark.start >= around[-1].source.end:
            around.pop()
        scope = replace(around[0], inside=[]) if mark.upper else around[-1]
        start, end = _target_span(mark, scope, source, target, words)
        placed.append(replace(mark, start=start, end=end))
        if not mark.upper:
            scope.inside.append(placed[-1])
            around.append(_Scope(mark, placed[-1]))
    return placed


def _gaps_for(shares: Sequence[float], text: str) -> Iterator[int]:
    """Yield the places of the spaces nearest to shares of a text, in order, each once; then those of its end."""
    masked = PROTECTED.sub(lambda item: "_" * len(item[0]), text) if shares else ""
    gaps = [at for at, char in enumerate(masked) if char == " "]
    first = 0
    for share in shares:
        near = bisect_left(gaps, share * len(text), first)
        if first < near and (near == len(gaps) or share * len(text) - gaps[near - 1] <= gaps[near] - share * len(text)):
            near -= 1
        yield gaps[near] if near < len(gaps) else len(text)
        first = near + 1


def covers_all_words(mark: Mark, text: str, start: int = 0, end: int | None = None) -> bool:
    """Return True if a mark goes round all words of a text or of a stretch of it."""
    outside = text[start : mark.start] + " " + text[mark.end : end]
    return not any(map(str.isalnum, outside))


def _target_span(mark: Mark, scope: _Scope, source: str, target: str, words: WordAttention | None) -> tuple[int, int]:
    low, high, taken = scope.target.start, scope.target.end, scope.inside
    places = [word for word in words_of(target, low, high) if not word.is_mark]
    first, last = (places[0].start, places[-1].end) if places else (low, high)
    start, end = first, last
    if words is not None and not covers_all_words(mark, source, scope.source.start, scope.source.end):
        marked = source[mark.start : mark.end]
        same = target.find(marked, low, high) if PROTECTED.fullmatch(marked) else -1
        start, end = (same, same + len(marked)) if same >= 0 else _best_run(mark, words, low, high, taken)
        for item in PROTECTED.finditer(target):
            if item.start() < end and item.end() > start:
                start, end = max(low, min(start, item.start())), min(high, max(end, item.end()))
        for other in taken:  # an item may reach into another mark
            if other.start <= start < other.end:
                start = other.end
            elif start < other.start < end:
                end = other.start
        end = max(start, end)
    # punctuation at the edges, and marks that go on in the sentences beside
    begins, ends = mark.start == scope.source.start, mark.end == scope.source.end
    if begins and (start <= first or not (mark.opening or mark.upper)):
        start = max([low, *(other.end for other in taken if other.end <= start)])
    if ends and (end >= last or not (mark.closing or mark.upper)):
        end = min([high, *(other.start for other in taken if other.start >= end)])
    return start, end


def _best_run(mark: Mark, words: WordAttention, low: int, high: int, taken: Sequence[Mark]) -> tuple[int, int]:
    """Return the span of the run of target words whose attention goes most to marked words, and least to others.

    A run as long as the marked words is preferred: of 1,897 stretches of the pairs in benchmarks/alignments.tsv, 76 %
    come out exactly as aligned by hand, 70 % without that and with `shares`.
    """
    shares = words.shares * words.scores / np.maximum(words.scores.sum(0, keepdims=True), 1e-9)
    shares /= np.maximum(shares.sum(1, keepdims=True), 1e-9)
    inside = np.array([word.start < mark.end and word.end > mark.start for word in words.source_words], bool)
    gains = 2 * shares @ inside - 1  # from 1, if a word attends to marked words only, to -1
    length = sum(not word.is_mark for word, is_marked in zip(words.source_words, inside, strict=True) if is_marked)
    best = (-np.inf, high, high)
    runs: list[tuple[float, int, int]] = []  # that end with the word: their gain, start and number of words
    for word, gain in zip(words.target_words, gains.tolist(), strict=True):
        if any(word.start < other.end and word.end > other.start for other in taken):
            runs = []
        elif low <= word.start and word.end <= high and not word.is_mark:
            runs = [(total + gain, start, n + 1) for total, start, n in [*runs, (0.0, word.start, 0)]]
            for total, start, n in runs:
                best = max(best, (total - LENGTH_PENALTY * abs(n - length), start, word.end), key=itemgetter(0))
    return best[1:]


def _token_words(spans: Sequence[tuple[int, int]], words: Sequence[Word]) -> np.ndarray:
    """Return a matrix (tokens, words) with 1 for the first word that overlaps a token's character span."""
    starts, ends = (np.array([word[at] for word in words]) for at in (1, 2))
    tokens = np.array(spans).reshape(-1, 2, 1)
    overlap = (starts < tokens[:, 1]) & (ends > tokens[:, 0])
    first: np.ndarray = overlap & (overlap.cumsum(1) == 1)
    return first.astype(np.float32)
