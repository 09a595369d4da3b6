"""Documents as parts to translate or to copy, and their translations put together again."""

from __future__ import annotations

from bisect import bisect, bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

from gatonegro.documents import (
    Direction,
    EditedText,
    Mark,
    Segment,
    cut_marks,
    has_words,
    insert_marks,
    lower_capitals,
    split_markup,
    split_sentences,
)
from gatonegro.generation import Generated
from gatonegro.tasks.alignment import covers_all_words, place_marks, word_attention, word_links
from gatonegro.tasks.generation import decode_text
from gatonegro.tasks.task import wants_truncation
from gatonegro.tasks.variants import best_variant, like_source
from gatonegro.tokenization import Tokenizer


@dataclass
class DocumentPart:
    """Part of a document: a sentence to translate, with its token ids, or text to copy, without."""

    text: str  # without its marks
    reading: EditedText  # what the model reads in its place
    ids: list[int] = field(default_factory=list)
    is_unknown: bool = False  # copied, since most of its letters are unknown to the tokenizer
    marks: list[Mark] = field(default_factory=list)
    sequence: int | None = None  # index among the sequences of its document
    variants: list[DocumentPart] = field(default_factory=list)  # other readings of the text
    pieces: list[DocumentPart] = field(default_factory=list)  # replace a sentence whose translation lost an item
    is_respelled: bool = False  # a variant of a word or short phrase, which may add or drop its full stop
    is_piece: bool = False
    is_checked: bool = False


@dataclass
class Document:
    """Document to translate: its parts, the prefix of its sentences, and its source and target languages."""

    text: EditedText  # without control characters
    parts: list[DocumentPart]
    prefix: str
    sequences: list[int] = field(default_factory=list)  # indices of its token sequences
    copied_language: str = ""  # the target language, if sentences in it are copied
    source: str | None = None  # None: unknown
    target: str | None = None
    direction: Direction = field(default_factory=Direction)  # its source may be assumed

    def translation(self, part: DocumentPart, text: str) -> EditedText:
        """Return a part's translation with the numbers written by the rules of the target language."""
        if part.sequence is None and (self.source is None or has_words(part.text)):
            return EditedText(text)  # copied
        return self.direction.localize(like_source(part.text, text) if part.is_respelled else text, part.text)


@dataclass
class Sequences:
    """Token sequences of the parts of documents, in the order in which they were added."""

    ids: list[Sequence[int]] = field(default_factory=list)
    row_of: list[int] = field(default_factory=list)
    options: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def add(self, row: int, document: Document, parts: Sequence[DocumentPart]) -> None:
        """Add the sequences of a document's new parts, and note in each part which one is its own."""
        for part in parts:
            if part.ids:
                part.sequence = len(document.sequences)
                document.sequences.append(len(self.ids))
                if any(not (mark.is_break or covers_all_words(mark, part.text)) for mark in part.marks):
                    self.options[len(self.ids)] = {"return_alignments": True}
                self.ids.append(part.ids)
                self.row_of.append(row)


def document_segments(text: str, options: Mapping[str, Any]) -> tuple[list[Segment], list[Mark]]:
    """Return a document's sentences and what is to copy between them, without its marks and capitals, and the marks."""
    if options["streamer"] is not None:  # a streamer receives a single sequence
        return [Segment(text, True)], []
    stretches, marks = split_markup(text)
    segments: list[Segment] = []
    start = 0
    for stretch in stretches:
        prose = stretch.translate and options["sentences"]
        for segment in split_sentences(stretch.text) if prose else [stretch]:
            lowered, capitals = lower_capitals(segment.text) if segment.translate else (segment.text, [])
            segments.append(replace(segment, text=lowered))
            marks += [replace(mark, start=start + mark.start, end=start + mark.end) for mark in capitals]
            start += len(lowered)
    return segments, marks


def encode_parts(
    tokenizer: Tokenizer,
    document: Document,
    segments: Sequence[Segment],
    marks: Sequence[Mark],
    limit: int,
    options: Mapping[str, Any],
) -> list[DocumentPart]:
    """Return the parts of a document, each with its marks, and sentences with their token ids after the prefix.

    Sentences longer than `limit` tokens are split.
    """
    parts = _encode(tokenizer, document, segments, limit, options)
    ends = [*accumulate(len(part.text) for part in parts)]
    # a mark is written only where it begins and where it ends, but capitals everywhere
    in_part: list[list[Mark]] = [[] for _ in parts]
    for mark in sorted(marks, key=lambda mark: (mark.start, -mark.end)):
        first, last = bisect(ends, mark.start), bisect_left(ends, mark.end)
        for n in range(first, last + 1) if mark.upper else {first, last}:
            in_part[n].append(mark)
    for part, end, own in zip(parts, ends, in_part, strict=True):
        part.marks = cut_marks(own, end - len(part.text), end)
    return parts


def _encode(
    tokenizer: Tokenizer, document: Document, segments: Sequence[Segment], limit: int, options: Mapping[str, Any]
) -> list[DocumentPart]:
    forms = [document.direction.readings(s.text)[0] if s.translate else EditedText(s.text) for s in segments]
    texts = [document.prefix + form.text for s, form in zip(segments, forms, strict=True) if s.translate]
    rows = iter(tokenizer(texts, truncation=wants_truncation(options), max_length=limit)["input_ids"] if texts else ())
    parts: list[DocumentPart] = []
    for segment, form in zip(segments, forms, strict=True):
        text, ids = segment.text, list(next(rows)) if segment.translate else []
        if tokenizer.unk_token_id in ids:
            known = tokenizer.decode([i for i in ids if i != tokenizer.unk_token_id], skip_special_tokens=True)
            ids = ids if 2 * sum(map(str.isalpha, known)) >= sum(map(str.isalpha, text)) else []
        if len(ids) > limit and len(text) > 1:
            max_chars = max(1, min(len(text) // 2, len(text) * limit // len(ids) * 3 // 4))
            parts += _encode(tokenizer, document, split_sentences(text, max_chars), limit, options)
        else:
            parts.append(DocumentPart(text, form, ids, is_unknown=segment.translate and not ids))
    return parts


def final_parts(
    tokenizer: Tokenizer,
    document: Document,
    part: DocumentPart,
    answers: Sequence[Sequence[Generated]],
    options: Mapping[str, Any],
) -> list[DocumentPart]:
    """Return what stands for a part in the translation: its best reading, or its pieces if all readings lost items."""
    readings = [part, *part.variants]
    best = [answers[reading.sequence][0] for reading in readings if reading.sequence is not None]
    texts = [decode_text(tokenizer, answer.ids, options) for answer in best]
    if len(readings) > 1 and readings[1].is_respelled:
        return [readings[best_variant(part.text, best, texts, document.direction)]]
    for reading, text in zip(readings[1:], texts[1:], strict=True):
        if document.direction.preserves(part.text, document.translation(reading, text).text):
            return [reading]
    pieces = [final_parts(tokenizer, document, piece, answers, options) for piece in part.pieces]
    return [final for piece in pieces for final in piece] or [part]


@dataclass
class TranslatedPart:
    """Part of a document and its translation, both with their marks, and the links between their words."""

    source: str
    target: str
    text: str  # the translation without its marks
    links: list[dict[str, Any]] = field(default_factory=list)


def translate_part(
    tokenizer: Tokenizer,
    document: Document,
    part: DocumentPart,
    sentence: Generated | None,
    options: Mapping[str, Any],
) -> TranslatedPart:
    """Return a part of a document with its translation, in which its marks stand at their places."""
    source = insert_marks(part.text, part.marks)
    plain = part.text if sentence is None else decode_text(tokenizer, sentence.ids, options)
    if sentence is None or (part.is_piece and not any(map(str.isalpha, plain))):
        copied = document.translation(part, part.text)
        spans = [copied.from_original(mark.start, mark.end) for mark in part.marks]
        marks = [replace(m, start=start, end=end) for m, (start, end) in zip(part.marks, spans, strict=True)]
        return TranslatedPart(source.text, insert_marks(copied.text, marks).text, copied.text)
    translation, words = document.translation(part, plain), None
    if sentence.attention is not None:
        skip = options["skip_special_tokens"]
        words = word_attention(tokenizer, part.reading.text, sentence.new_ids, plain, sentence.attention, skip)
        words = words.moved(part.reading.to_original, translation.from_original)
    target = insert_marks(translation.text, place_marks(part.marks, part.text, translation.text, words))
    links = word_links(words) if words and options["return_alignments"] else []
    ends = len(part.text), len(translation.text)  # a variant may have a full stop of its own
    links = [link for link in links if link["source_span"][1] <= ends[0] and link["target_span"][1] <= ends[1]]
    for link in links:
        for side, text in (("source", source), ("target", target)):
            link[f"{side}_span"] = [*text.from_original(*link[f"{side}_span"])]
            link[side] = text.text[slice(*link[f"{side}_span"])]
    return TranslatedPart(source.text, target.text, translation.text, links)


def document_links(parts: Sequence[TranslatedPart], text: EditedText) -> list[dict[str, Any]]:
    """Return the word alignments of all sentences of a document, with character spans in the whole document.

    Source spans are those of the original of `text`.
    """
    links: list[dict[str, Any]] = []
    source = target = 0
    for part in parts:
        for link in part.links:
            spans = {"source_span": source, "target_span": target}
            links.append(link | {name: [shift + at for at in link[name]] for name, shift in spans.items()})
        source, target = source + len(part.source), target + len(part.target)
    for link in links if text.edits else ():
        link["source_span"] = [*text.to_original(*link["source_span"])]
    return links
