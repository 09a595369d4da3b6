"""Translation of documents sentence by sentence, with the text between sentences copied."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

from gatonegro.checks import FLAG, TEXT, Check, Option, optional
from gatonegro.config import Config
from gatonegro.documents import (
    Mark,
    Segment,
    cut_marks,
    insert_marks,
    keeps_text_between,
    lower_capitals,
    preserves_items,
    shifted,
    split_at_items,
    split_markup,
    split_sentences,
)  # fmt: skip
from gatonegro.errors import OptionError
from gatonegro.generation import Generated
from gatonegro.i18n import EMPTY, Message
from gatonegro.language import LANGUAGE_TAG, detect_language, other_language, target_languages
from gatonegro.models import LanguageModel, Model
from gatonegro.tasks.alignment import add_attention, covers_all_words, place_marks, word_attention, word_links
from gatonegro.tasks.generation import GENERATION_OPTIONS, decode_text, flatten_single, task_prefix
from gatonegro.tasks.generation import generate as generate_text
from gatonegro.tasks.task import MESSAGES, Encoded, Notice, RowOutput, Task, notice, wants_truncation
from gatonegro.tasks.windows import check_str
from gatonegro.tokenization import Tokenizer

TASK_NAME_PATTERN = re.compile(r"translation_([a-z]{2,3}(?:_[A-Za-z]+)?)_to_([a-z]{2,3}(?:_[A-Za-z]+)?)")


@dataclass
class DocumentPart:
    """Part of a document: a sentence to translate, with the index of its token sequence, or text to copy."""

    text: str  # without its marks, as the model reads it
    marks: list[Mark] = field(default_factory=list)
    sequence: int | None = None
    pieces: list[DocumentPart] = field(default_factory=list)  # replace a sentence whose translation lost an item
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


def named_languages(options: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the source and target languages that a call's options name, with None for one that is not named."""
    named = TASK_NAME_PATTERN.fullmatch(options["direction"] or "")
    source, target = named.groups() if named else (None, None)
    return options["src_lang"] or source, options["tgt_lang"] or target


def task_name(config: Config, options: Mapping[str, Any]) -> str:
    """Return the key of the translation task in the `task_specific_params` of a model's `config.json`."""
    source, target = named_languages(options)
    if source is not None and target is not None:
        return f"translation_{source}_to_{target}"
    known = config.extra.get("task_specific_params")
    names = [name for name in known if TASK_NAME_PATTERN.fullmatch(str(name))] if isinstance(known, Mapping) else []
    return next((name for name in names if target is None or name.endswith(f"_to_{target}")), "translation")


def resolve_languages(
    tokenizer: Tokenizer, known: list[str], options: Mapping[str, Any]
) -> tuple[str | None, str | None]:
    """Return the source and target languages of a translation, or raise OptionError for an unsupported pair."""
    source, target = named_languages(options)
    fixed = tokenizer.marian.languages if tokenizer.marian else {}
    if fixed and (source or target) and any(piece.startswith(">>") for piece in tokenizer.get_vocab()):
        fixed = {}  # groups of languages; a tag in the text selects one
    for lang, option, key in ((source, "src_lang", "source_lang"), (target, "tgt_lang", "target_lang")):
        allowed = known or [fixed[key]] if key in fixed else known
        if lang is not None and allowed and lang not in allowed:
            close = re.split(r"[-_]", lang.lower())[0]
            hint = Message(f" Pass {close!r}.", f" Pasa {close!r}.") if close in allowed else EMPTY
            raise OptionError(
                *MESSAGES["language"].format(option=option, lang=lang, allowed=", ".join(allowed), hint=hint)
            )
    if source is not None and source == target:
        raise OptionError(*MESSAGES["same_languages"].format(source=source, target=target))
    return (source, target) if known else (source or fixed.get("source_lang"), target or fixed.get("target_lang"))


EncodedSegment = tuple[Segment, list[int]]  # no ids: the segment is copied


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
    ends = list(accumulate(len(segment.text) for segment, _ in segments))
    return [
        DocumentPart(segment.text, cut_marks(marks, end - len(segment.text), end))
        for (segment, _), end in zip(segments, ends, strict=True)
    ]


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Encode the sentences of documents as token ids, leaving those already in the target language to be copied."""
    limit, known = min(config.max_tokens, tokenizer.model_max_length), target_languages(tokenizer, config)
    task_text = task_prefix(config, task_name(config, options))
    named, (from_, to) = named_languages(options)[0], resolve_languages(tokenizer, known, options)
    documents: list[Document] = []
    notices: dict[int, list[Notice]] = {}
    encoded = Sequences()
    for i, row in enumerate(rows):
        detected = named or detect_language(row)
        source, target = from_, to
        if known:
            target = target or other_language(known, detected if detected in known else known[0])
            source = source or (other_language(known, target) if detected in known else None)
        prefix = task_text + (LANGUAGE_TAG.format(target) + " " if known else "")
        document = Document([], prefix, source=source, target=target)
        segments, marks = document_segments(row, options)
        if named is None and target is not None and options["streamer"] is None:
            copied = {s for s in segments if s.translate and (detect_language(s.text) or detected) == target}
            segments = [replace(s, translate=False) if s in copied else s for s in segments]
            if copied:
                document.copied_language = target
                notices.setdefault(i, []).append(notice("same", language=target))
        if options["streamer"] is None:
            segments, capitals = lower_segments(segments)
            marks = [*marks, *capitals]
        pairs = encode_segments(tokenizer, prefix, segments, limit, options)
        document.parts = document_parts(pairs, marks)
        if any(segment.translate and not tokens for segment, tokens in pairs):
            notices.setdefault(i, []).append(notice("strange"))
        documents.append(document)
        encoded.add(i, document.parts, [tokens for _, tokens in pairs])
    return Encoded(encoded.ids, encoded.row_of, limit, row_data=documents, notices=notices, options=encoded.options)


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


def retry(
    tokenizer: Tokenizer, config: Config, encoded: Encoded, answers: Mapping[int, Any], options: Mapping[str, Any]
) -> Encoded:
    """Add token sequences for the pieces of sentences whose translation lost or changed links, numbers or the like."""
    if options["streamer"] is not None or not options["keep"]:
        return encoded
    more = Sequences(list(encoded.ids), list(encoded.row_of), dict(encoded.options))
    for n, row in enumerate(encoded.row_of):
        more.of_row[row].append(n)
    for row, document in enumerate(encoded.row_data or ()):
        for part in document.parts:
            answer = None if part.sequence is None else answers.get(more.of_row[row][part.sequence])
            if answer is None or part.is_checked:
                continue
            part.is_checked = True
            translation = decode_text(tokenizer, answer[0].ids, options)
            if preserves_items(part.text, translation) and keeps_text_between(part.text, translation):
                continue
            segments = split_at_items(part.text)
            pairs = encode_segments(tokenizer, document.prefix, segments, encoded.max_length, options)
            part.pieces = [replace(piece, is_piece=True) for piece in document_parts(pairs, part.marks)]
            more.add(row, part.pieces, [tokens for _, tokens in pairs])
    return replace(encoded, ids=more.ids, row_of=more.row_of, options=more.options)


def generate(
    model: Model, tokenizer: Tokenizer, ids: Sequence[Sequence[int]], options: Mapping[str, Any]
) -> list[list[Generated]]:
    """Generate translations of each source sequence, with attention to its tokens if `return_alignments` is set."""
    outputs = generate_text(model, tokenizer, ids, options, task_name(model.config, options))
    if not options["return_alignments"]:
        return outputs
    assert isinstance(model, LanguageModel)
    task_ids = tokenizer(task_prefix(model.config, task_name(model.config, options)).strip(), add_special_tokens=False)
    targets = target_languages(tokenizer, model.config)
    tags = tokenizer.convert_tokens_to_ids([LANGUAGE_TAG.format(lang) for lang in targets])
    aligned = []
    for source, translations in zip(ids, outputs, strict=True):
        prefix, reverse = source_prefix(source, tokenizer.all_special_ids, tags, task_ids["input_ids"])
        aligned.append([add_attention(model, source, output, prefix, reverse) for output in translations])
    return aligned


def source_prefix(
    ids: Sequence[int], special: Sequence[int], tags: Sequence[int], prefix: Sequence[int]
) -> tuple[int, list[int] | None]:
    """Return the length of a source sequence's prefix, and the ids of the prefix for the reverse translation.

    A prefix is special tokens and a language tag or task prefix. Its reverse is None unless there are two tags.
    """
    first = next((i for i, token in enumerate(ids) if token not in special or token in tags), 0)
    if ids[first] in tags:
        others = [tag for tag in tags if tag != ids[first]]
        return first + 1, [*ids[:first], *others] if len(others) == 1 else None
    return first + len(prefix) * (list(ids[first : first + len(prefix)]) == list(prefix)), None


def decode(tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Join the translations of a document's sentences to translations of the document."""
    document: Document = output.data
    parts = [piece for part in document.parts for piece in part.pieces or [part]]
    out: list[dict[str, Any]] = []
    for rank in range(max([1, *map(len, output.answers)])):
        chosen = [None if part.sequence is None else at_rank(output.answers[part.sequence], rank) for part in parts]
        used = [sentence for sentence in chosen if sentence is not None]
        if options["return_tensors"]:
            out += [{"translation_token_ids": [i for sentence in used for i in sentence.ids]}] if used else []
            continue
        translated = [translate_part(tokenizer, *pair, options) for pair in zip(parts, chosen, strict=True)]
        out.append({"translation_text": "".join(part.target for part in translated)})
        if options["return_scores"]:
            if unfinished := next((sentence.unfinished for sentence in used if sentence.unfinished), None):
                out[-1]["unfinished"] = unfinished
            out[-1]["score"] = sum(sentence.score for sentence in used) / len(used) if used else None
        if options["return_languages"]:
            out[-1] |= {"src_lang": document.source if used else document.copied_language or document.source}
            out[-1] |= {"tgt_lang": document.target}
        if options["return_alignments"]:
            out[-1]["alignments"] = document_links(translated)
    return out


def at_rank(translations: Sequence[Generated], rank: int) -> Generated:
    """Return the n-th best translation of a list, or the last one if the list is shorter."""
    return translations[min(rank, len(translations) - 1)]


@dataclass
class TranslatedPart:
    """Part of a document and its translation, both with their marks, and the links between their words."""

    source: str
    target: str
    links: list[dict[str, Any]]


def translate_part(
    tokenizer: Tokenizer, part: DocumentPart, sentence: Generated | None, options: Mapping[str, Any]
) -> TranslatedPart:
    """Return a part of a document with its translation, in which its marks stand at their places."""
    source, source_insertions = insert_marks(part.text, part.marks)
    if sentence is None:
        return TranslatedPart(source, source, [])
    plain = decode_text(tokenizer, sentence.ids, options)
    if part.is_piece and not any(map(str.isalpha, plain)):
        return TranslatedPart(source, source, [])
    words = None
    if sentence.attention is not None:
        skip = options["skip_special_tokens"]
        words = word_attention(tokenizer, part.text, sentence.new_ids, plain, sentence.attention, skip)
    target, insertions = insert_marks(plain, place_marks(part.marks, part.text, plain, words))
    links = word_links(words) if words and options["return_alignments"] else []
    for link in links:
        link["source_span"] = shifted(link["source_span"], source_insertions)
        link["target_span"] = shifted(link["target_span"], insertions)
        link["source"], link["target"] = source[slice(*link["source_span"])], target[slice(*link["target_span"])]
    return TranslatedPart(source, target, links)


def document_links(parts: Sequence[TranslatedPart]) -> list[dict[str, Any]]:
    """Return the word alignments of all sentences of a document, with character spans in the whole document."""
    links: list[dict[str, Any]] = []
    source = target = 0
    for part in parts:
        for link in part.links:
            link["source_span"] = [source + at for at in link["source_span"]]
            link["target_span"] = [target + at for at in link["target_span"]]
            links.append(link)
        source, target = source + len(part.source), target + len(part.target)
    return links


DIRECTION_CHECK = Check(
    lambda x: isinstance(x, str) and TASK_NAME_PATTERN.fullmatch(x) is not None,
    Message('as "translation_es_to_en"', 'como "translation_es_to_en"'),
)

TRANSLATION = Task(
    name="translation",
    head="seq2seq-lm",
    check=check_str,
    encode=encode,
    generate=generate,
    retry=retry,
    decode=decode,
    wrap=flatten_single,
    options={
        **GENERATION_OPTIONS,
        "direction": Option(None, optional(DIRECTION_CHECK)),  # a task's name such as "translation_es_to_en"
        "src_lang": Option(None, optional(TEXT)),
        "tgt_lang": Option(None, optional(TEXT)),
        "sentences": Option(True, FLAG),  # split documents into sentences, for which models are trained
        "return_languages": Option(False, FLAG),
        "return_alignments": Option(False, FLAG),  # links between words
        "keep": Option(True, FLAG),  # translate a sentence that lost protected items in pieces
    },
    example_model="Helsinki-NLP/opus-mt-es-en",
)
