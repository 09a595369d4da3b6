"""Documents as parts to translate or to copy, and their translations put together again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gatonegro.documents import (
    Mark,
    Segment,
    cut_marks,
    insert_marks,
    lower_capitals,
    shifted,
    split_markup,
    split_sentences,
)
from gatonegro.generation import Generated
from gatonegro.tasks.alignment import covers_all_words, place_marks, word_attention, word_links
from gatonegro.tasks.generation import decode_text
from gatonegro.tasks.task import wants_truncation
from gatonegro.tasks.variants import best_variant, like_source
from gatonegro.tokenization import Tokenizer

EncodedSegment = tuple[Segment, list[int]]  # no ids: the segment is copied


@dataclass
class DocumentPart:
    """Part of a document: a sentence to translate, with the index of its token sequence, or text to copy."""

    text: str  # without its marks, as the model reads it
    marks: list[Mark] = field(default_factory=list)
    sequence: int | None = None  # index among the sequences of its document
    pieces: list[DocumentPart] = field(default_factory=list)  # replace a sentence whose translation lost an item
    variants: list[DocumentPart] = field(default_factory=list)  # other spellings of a short sentence
    source: str | None = None  # of a variant, the text of its sentence
    is_piece: bool = False
    is_checked: bool = False

    @property
    def needs_attention(self) -> bool:
        """True if only the attention tells where the marks belong in the translation."""
        return any(not covers_all_words(mark, self.text) for mark in self.marks)


@dataclass
class Document:
    """Document to translate: its parts, the prefix of its sentences, and its source and target languages."""

    parts: list[DocumentPart]
    prefix: str
    copied_language: str = ""  # the target language, if sentences in it are copied
    source: str | None = None  # None: unknown
    target: str | None = None


@dataclass
class Sequences:
    """Token sequences of the parts of documents, in the order in which they were added."""

    ids: list[Sequence[int]] = field(default_factory=list)
    row_of: list[int] = field(default_factory=list)
    options: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    of_row: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))  # row → its sequences

    def add(self, row: int, parts: Sequence[DocumentPart], ids: Sequence[Sequence[int]]) -> None:
        """Add the sequences of a document's new parts, and note in each part which one is its own."""
        for part, tokens in zip(parts, ids, strict=True):
            if tokens:
                part.sequence = len(self.of_row[row])
                self.of_row[row].append(len(self.ids))
                if part.needs_attention:
                    self.options[len(self.ids)] = {"return_alignments": True}
                self.ids.append(tokens)
                self.row_of.append(row)


def document_segments(text: str, options: Mapping[str, Any]) -> tuple[list[Segment], list[Mark]]:
    """Return a document's sentences and what is to copy between them, without its marks, and the marks."""
    if options["streamer"] is not None:  # a streamer receives a single sequence
        return [Segment(text, True)], []
    stretches, marks = split_markup(text)
    segments: list[Segment] = []
    for stretch in stretches:
        prose = stretch.translate and options["sentences"]
        segments += split_sentences(stretch.text) if prose else [stretch]
    return segments, marks


def lower_segments(segments: Sequence[Segment]) -> tuple[list[Segment], list[Mark]]:
    """Return segments with their words in capitals in lower case, and the marks that raise these again."""
    lowered: list[Segment] = []
    marks: list[Mark] = []
    start = 0
    for segment in segments:
        text, found = lower_capitals(segment.text) if segment.translate else (segment.text, [])
        lowered.append(replace(segment, text=text))
        marks += [replace(mark, start=mark.start + start, end=mark.end + start) for mark in found]
        start += len(text)
    return lowered, marks


def document_parts(segments: Sequence[EncodedSegment], marks: Sequence[Mark]) -> list[DocumentPart]:
    """Return the parts of a document, each with its marks, from its encoded segments."""
    waiting = sorted(marks, key=lambda mark: (-mark.start, mark.end))  # the first mark comes last
    around: list[Mark] = []
    parts: list[DocumentPart] = []
    end = 0
    for segment, _ in segments:
        start, end = end, end + len(segment.text)
        while waiting and waiting[-1].start < end:
            around.append(waiting.pop())
        parts.append(DocumentPart(segment.text, cut_marks(around, start, end)))
        around = [mark for mark in around if mark.end > end]
    return parts


def encode_segments(
    tokenizer: Tokenizer, prefix: str, segments: Sequence[Segment], limit: int, options: Mapping[str, Any]
) -> list[EncodedSegment]:
    """Encode a document's sentences as token ids, each after a prefix, and split those longer than `limit` tokens.

    A sentence gets no ids, and is copied, if most of its letters are unknown to the tokenizer.
    """
    texts = [prefix + segment.text for segment in segments if segment.translate]
    rows = iter(tokenizer(texts, truncation=wants_truncation(options), max_length=limit)["input_ids"] if texts else ())
    out: list[EncodedSegment] = []
    for segment in segments:
        ids = list(next(rows)) if segment.translate else []
        if tokenizer.unk_token_id in ids:
            known = tokenizer.decode([i for i in ids if i != tokenizer.unk_token_id], skip_special_tokens=True)
            ids = ids if 2 * sum(map(str.isalpha, known)) >= sum(map(str.isalpha, segment.text)) else []
        if len(ids) > limit and len(segment.text) > 1:
            max_chars = max(1, min(len(segment.text) // 2, len(segment.text) * limit // len(ids) * 3 // 4))
            out += encode_segments(tokenizer, prefix, split_sentences(segment.text, max_chars), limit, options)
        else:
            out.append((segment, ids))
    return out


def best_of(
    tokenizer: Tokenizer, part: DocumentPart, answers: Sequence[Sequence[Generated]], options: Mapping[str, Any]
) -> DocumentPart:
    """Return the one of a part and its variants that has the best translation."""
    spellings = [part, *(variant for variant in part.variants if variant.sequence is not None)]
    if len(spellings) == 1:
        return part
    best = [answers[spelling.sequence][0] for spelling in spellings if spelling.sequence is not None]
    return spellings[best_variant(part.text, best, [decode_text(tokenizer, one.ids, options) for one in best])]


def translate_part(
    tokenizer: Tokenizer, part: DocumentPart, sentence: Generated | None, options: Mapping[str, Any]
) -> tuple[str, str, list[dict[str, Any]]]:
    """Return a part of a document and its translation, both with their marks, and the links between their words."""
    text = part.text if part.source is None else part.source
    source, source_insertions = insert_marks(text, part.marks)
    plain = "" if sentence is None else decode_text(tokenizer, sentence.ids, options)
    if sentence is None or (part.is_piece and not any(map(str.isalpha, plain))):
        return source, source, []
    words = None
    if sentence.attention is not None:
        skip = options["skip_special_tokens"]
        words = word_attention(tokenizer, part.text, sentence.new_ids, plain, sentence.attention, skip)
    if part.source is not None:
        plain = like_source(part.source, plain)
    target, insertions = insert_marks(plain, place_marks(part.marks, text, plain, words))
    links = word_links(words) if words and options["return_alignments"] else []
    links = [link for link in links if link["source_span"][1] <= len(text) and link["target_span"][1] <= len(plain)]
    for link in links:
        link["source_span"] = shifted(link["source_span"], source_insertions)
        link["target_span"] = shifted(link["target_span"], insertions)
        link["source"], link["target"] = source[slice(*link["source_span"])], target[slice(*link["target_span"])]
    return source, target, links


def document_links(parts: Sequence[tuple[str, str, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """Return the word alignments of all sentences of a document, with character spans in the whole document."""
    links: list[dict[str, Any]] = []
    source = target = 0
    for source_text, target_text, part_links in parts:
        for link in part_links:
            spans = {"source_span": source, "target_span": target}
            links.append(link | {name: [shift + at for at in link[name]] for name, shift in spans.items()})
        source, target = source + len(source_text), target + len(target_text)
    return links
