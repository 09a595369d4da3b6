"""Translation of documents sentence by sentence, with the text between sentences copied."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from gatonegro.checks import FLAG, TEXT, Check, Option, one_of, optional
from gatonegro.config import Config
from gatonegro.documents import (
    Direction,
    EditedText,
    Segment,
    decimal_symbol,
    has_words,
    preserves_items,
    split_at_items,
    split_sentences,
)
from gatonegro.errors import OptionError
from gatonegro.generation import Generated
from gatonegro.i18n import EMPTY, Message
from gatonegro.language import LANGUAGE_TAG, detect_language, other_language, target_languages
from gatonegro.models import LanguageModel, Model
from gatonegro.tasks.alignment import add_attention, word_links
from gatonegro.tasks.doubt import Calibration, document_doubts, pair_features, sentence_doubts
from gatonegro.tasks.generation import GENERATION_OPTIONS, decode_text, flatten_single, task_prefix
from gatonegro.tasks.generation import generate as generate_text
from gatonegro.tasks.task import MESSAGES, Encoded, Notice, RowOutput, Task, notice, wants_truncation
from gatonegro.tasks.windows import check_str
from gatonegro.tokenization import Tokenizer

TASK_NAME_PATTERN = re.compile(r"translation_([a-z]{2,3}(?:_[A-Za-z]+)?)_to_([a-z]{2,3}(?:_[A-Za-z]+)?)")


@dataclass
class DocumentPart:
    """Part of a document: a sentence to translate, with the index of its token sequence, or text to copy."""

    text: str
    sequence: int | None = None
    reading: int = 0  # which of the document's readings of the text is translated
    alternatives: list[DocumentPart] = field(default_factory=list)  # other readings, if the translation lost a number
    pieces: list[DocumentPart] = field(default_factory=list)  # replace a sentence whose translation lost an item


@dataclass
class Document:
    """Document to translate: its parts, the prefix of its sentences, and its source and target languages."""

    parts: list[DocumentPart]
    prefix: str
    copied_language: str = ""  # the target language, if sentences in it are copied
    source: str | None = None  # None: unknown
    target: str | None = None
    direction: Direction = field(default_factory=Direction)  # its source may be assumed

    def localize(self, part: DocumentPart, translation: str) -> EditedText:
        """Write the numbers of a part's translation by the rules of the target language."""
        is_copied = part.sequence is None and (self.source is None or has_words(part.text))
        return EditedText(translation) if is_copied else self.direction.localize(translation, part.text)


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
    tokenizer: Tokenizer, document: Document, segments: Sequence[Segment], limit: int, options: Mapping[str, Any]
) -> list[EncodedSegment]:
    """Encode a document's sentences as token ids, each after a prefix, and split those longer than `limit` tokens.

    A sentence gets no ids, and is copied, if most of its letters are unknown to the tokenizer.
    """
    sentences = [segment.text for segment in segments if segment.translate]
    texts = [document.prefix + document.direction.readings(sentence)[0].text for sentence in sentences]
    rows = iter(tokenizer(texts, truncation=wants_truncation(options), max_length=limit)["input_ids"] if texts else ())
    out: list[EncodedSegment] = []
    for segment in segments:
        ids = list(next(rows)) if segment.translate else []
        if tokenizer.unk_token_id in ids:
            known = tokenizer.decode([i for i in ids if i != tokenizer.unk_token_id], skip_special_tokens=True)
            ids = ids if 2 * sum(map(str.isalpha, known)) >= sum(map(str.isalpha, segment.text)) else []
        if len(ids) > limit and len(segment.text) > 1:
            max_chars = max(1, min(len(segment.text) // 2, len(segment.text) * limit // len(ids) * 3 // 4))
            out += encode_segments(tokenizer, document, split_sentences(segment.text, max_chars), limit, options)
        else:
            out.append((segment, ids))
    return out


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Encode the sentences of documents as token ids, leaving those already in the target language to be copied."""
    limit, known = min(config.max_tokens, tokenizer.model_max_length), target_languages(tokenizer, config)
    task_text = task_prefix(config, task_name(config, options))
    named, (from_, to) = named_languages(options)[0], resolve_languages(tokenizer, known, options)
    ids: list[list[int]] = []
    row_of: list[int] = []
    documents: list[Document] = []
    notices: dict[int, list[Notice]] = {}
    for i, row in enumerate(rows):
        detected = named or detect_language(row)
        source, target = from_, to
        if known:
            target = target or other_language(known, detected if detected in known else known[0])
            source = source or (other_language(known, target) if detected in known else None)
        prefix = task_text + (LANGUAGE_TAG.format(target) + " " if known else "")
        language = source or (other_language(known, target) if len(known) == 2 else None)
        convert = options["numbers"] == "convert" and options["streamer"] is None
        direction = Direction(language, target, decimal_symbol(row, language) if convert else "")
        document = Document([], prefix, source=source, target=target, direction=direction)
        at_once = options["streamer"] is not None or not options["sentences"]  # a streamer receives a single sequence
        segments = [Segment(row, True)] if at_once else split_sentences(row)
        if named is None and target is not None and options["streamer"] is None:
            copied = {s for s in segments if s.translate and (detect_language(s.text) or detected) == target}
            segments = [replace(s, translate=False) if s in copied else s for s in segments]
            if copied:
                document.copied_language = target
                notices.setdefault(i, []).append(notice("same", language=target))
        encoded, indices = encode_segments(tokenizer, document, segments, limit, options), count()
        document.parts = [DocumentPart(segment.text, next(indices) if tokens else None) for segment, tokens in encoded]
        if any(segment.translate and not tokens for segment, tokens in encoded):
            notices.setdefault(i, []).append(notice("strange"))
        documents.append(document)
        ids += [tokens for _, tokens in encoded if tokens]
        row_of += [i for _, tokens in encoded if tokens]
    return Encoded(ids, row_of, limit, row_data=documents, notices=notices)


def retry(
    tokenizer: Tokenizer, config: Config, encoded: Encoded, answers: Mapping[int, Any], options: Mapping[str, Any]
) -> Encoded:
    """Add token sequences for other readings, and the pieces, of sentences whose translation lost numbers or links."""
    ids, row_of = list(encoded.ids), list(encoded.row_of)
    sequences = count()  # in the order of their sentences
    keep = options["keep"] and options["streamer"] is None
    for row, document in enumerate(encoded.row_data or () if keep else ()):
        sentences = [part for part in document.parts if part.sequence is not None]
        indices = count(len(sentences))
        for part in sentences:
            answer = answers.get(next(sequences))
            text = "" if answer is None else decode_text(tokenizer, answer[0].ids, options)
            if answer is None or document.direction.preserves(part.text, document.localize(part, text).text):
                continue
            forms = [document.prefix + form.text for form in document.direction.readings(part.text)]
            for reading, tokens in enumerate(tokenizer(forms)["input_ids"]):
                if reading and len(tokens) <= encoded.max_length:
                    part.alternatives.append(DocumentPart(part.text, next(indices), reading))
                    ids.append(tokens)
                    row_of.append(row)
            segments = split_at_items(part.text, document.direction.source)
            if preserves_items(part.text, text) and segments == split_at_items(part.text):
                segments = []  # only a number in words is lost
            for segment, tokens in encode_segments(tokenizer, document, segments, encoded.max_length, options):
                part.pieces.append(DocumentPart(segment.text, next(indices) if tokens else None))
                if tokens:
                    ids.append(tokens)
                    row_of.append(row)
    return replace(encoded, ids=ids, row_of=row_of)


def generate(
    model: Model, tokenizer: Tokenizer, ids: Sequence[Sequence[int]], options: Mapping[str, Any]
) -> list[list[Generated]]:
    """Generate translations of each source sequence, with attention to its tokens if `return_alignments` is set."""
    outputs = generate_text(model, tokenizer, ids, options, task_name(model.config, options))
    is_judged = options["doubt"] and Calibration.of(model.config) is not None
    if not is_judged and not options["return_alignments"]:
        return outputs
    assert isinstance(model, LanguageModel)
    task_ids = tokenizer(task_prefix(model.config, task_name(model.config, options)).strip(), add_special_tokens=False)
    targets = target_languages(tokenizer, model.config)
    tags = tokenizer.convert_tokens_to_ids([LANGUAGE_TAG.format(lang) for lang in targets])
    prefixes = [source_prefix(source, tokenizer.all_special_ids, tags, task_ids["input_ids"]) for source in ids]
    if is_judged:
        outputs = add_features(model, ids, outputs, prefixes)
    if options["return_alignments"]:
        rows = zip(ids, outputs, prefixes, strict=True)
        outputs = [[add_attention(model, source, output, *prefix) for output in row] for source, row, prefix in rows]
    return outputs


def add_features(
    model: LanguageModel,
    ids: Sequence[Sequence[int]],
    outputs: Sequence[Sequence[Generated]],
    prefixes: Sequence[tuple[int, Sequence[int] | None]],
) -> list[list[Generated]]:
    """Return copies of translations with the values by which a `Calibration` judges them, if the model can reverse."""
    rows = [
        (source, [token for token in output.new_ids if token not in model.generation_config.eos_ids], prefix)
        for source, translations, prefix in zip(ids, outputs, prefixes, strict=True)
        for output in translations
    ]
    if not rows or any(reverse is None for _, reverse in prefixes):
        return [list(translations) for translations in outputs]
    sources, answers, pairs = zip(*rows, strict=True)
    log_probs = [output.log_probs for translations in outputs for output in translations]
    values = iter(pair_features(model, sources, answers, pairs, log_probs))
    return [[replace(output, features=next(values)) for output in translations] for translations in outputs]


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
    parts = [piece for part in document.parts for piece in final_parts(tokenizer, document, part, output, options)]
    out: list[dict[str, Any]] = []
    for rank in range(max([1, *map(len, output.answers)])):
        chosen = [None if part.sequence is None else at_rank(output.answers[part.sequence], rank) for part in parts]
        used = [sentence for sentence in chosen if sentence is not None]
        if options["return_tensors"]:
            out += [{"translation_token_ids": [i for sentence in used for i in sentence.ids]}] if used else []
            continue
        texts = [
            document.localize(part, part.text if sentence is None else decode_text(tokenizer, sentence.ids, options))
            for part, sentence in zip(parts, chosen, strict=True)
        ]
        out.append({"translation_text": "".join(edited.text for edited in texts)})
        if options["doubt"]:
            judged = [(part.text, edited.text) for part, edited in zip(parts, texts, strict=True)]
            if doubts := find_doubts(tokenizer, config, document, judged, chosen):
                out[-1] |= {"doubtful": True, "doubt": {kind: str(reason) for kind, reason in doubts.items()}}
                output.notices.extend([notice("doubtful", reason=next(iter(doubts.values())))] * (rank == 0))
        if options["return_scores"]:
            if unfinished := next((sentence.unfinished for sentence in used if sentence.unfinished), None):
                out[-1]["unfinished"] = unfinished
            out[-1]["score"] = sum(sentence.score for sentence in used) / len(used) if used else None
        if options["return_languages"]:
            out[-1] |= {"src_lang": document.source if used else document.copied_language or document.source}
            out[-1] |= {"tgt_lang": document.target}
        if options["return_alignments"]:
            out[-1]["alignments"] = document_links(tokenizer, document, parts, chosen, texts, options)
    return out


def find_doubts(
    tokenizer: Tokenizer,
    config: Config,
    document: Document,
    pairs: Sequence[tuple[str, str]],
    chosen: Sequence[Generated | None],
) -> dict[str, Message]:
    """Return the signs that a document's translation is wrong, from its parts, their answers, and what was generated.

    Copied parts have nothing generated, and are judged only where sentences were left in the target language.
    """
    known, calibration = target_languages(tokenizer, config), Calibration.of(config)
    languages = (
        document.source or (other_language(known, document.target) if len(known) == 2 else None),
        document.target,
    )
    judged = []
    for (source, answer), sentence in zip(pairs, chosen, strict=True):
        if sentence is not None or (document.copied_language and any(map(str.isalpha, answer))):
            values, is_loop = (None, False) if sentence is None else (sentence.features, sentence.repeats)
            judged.append((source, sentence_doubts(source, answer, languages, calibration, values, is_loop)))
    return document_doubts(judged)


def final_parts(
    tokenizer: Tokenizer, document: Document, part: DocumentPart, output: RowOutput, options: Mapping[str, Any]
) -> list[DocumentPart]:
    """Return the part itself, or what replaces it: the first reading that lost nothing, or else its pieces."""
    for other in part.alternatives:
        assert other.sequence is not None
        text = decode_text(tokenizer, output.answers[other.sequence][0].ids, options)
        if document.direction.preserves(other.text, document.localize(other, text).text):
            return [other]
    return part.pieces or [part]


def at_rank(translations: Sequence[Generated], rank: int) -> Generated:
    """Return the n-th best translation of a list, or the last one if the list is shorter."""
    return translations[min(rank, len(translations) - 1)]


def document_links(
    tokenizer: Tokenizer,
    document: Document,
    parts: Sequence[DocumentPart],
    chosen: Sequence[Generated | None],
    texts: Sequence[EditedText],
    options: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return the word alignments of all sentences of a document, with character spans in the whole document."""
    links: list[dict[str, Any]] = []
    source = target = 0
    for part, sentence, edited in zip(parts, chosen, texts, strict=True):
        if sentence is not None and sentence.attention is not None:
            skip, read = options["skip_special_tokens"], document.direction.readings(part.text)[part.reading]
            text = decode_text(tokenizer, sentence.ids, options)
            for link in word_links(tokenizer, read.text, sentence.new_ids, text, sentence.attention, skip):
                start, end = read.to_original(*link["source_span"])
                link |= {"source": part.text[start:end], "source_span": [source + start, source + end]}
                start, end = edited.from_original(*link["target_span"])
                link |= {"target": edited.text[start:end], "target_span": [target + start, target + end]}
                links.append(link)
        source, target = source + len(part.text), target + len(edited.text)
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
        "doubt": Option(True, FLAG),  # mark translations that may be wrong
        "numbers": Option("convert", one_of("convert", "keep")),  # write numbers by the target language's rules
        "keep": Option(True, FLAG),  # translate a sentence that lost protected items in pieces
    },
    example_model="Helsinki-NLP/opus-mt-es-en",
)
