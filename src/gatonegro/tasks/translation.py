"""Translation: a document is cut into sentences, and put together again as it was laid out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from gatonegro.checks import FLAG, TEXT, Check, Option, optional
from gatonegro.config import Config
from gatonegro.errors import OptionError
from gatonegro.generation import Written
from gatonegro.i18n import EMPTY, Message
from gatonegro.language import LANGUAGE_TAG, detect_language, other_language, target_languages
from gatonegro.models import LanguageModel, Model
from gatonegro.segments import Segment, around, holds, segments
from gatonegro.tasks.alignment import with_attention, word_links
from gatonegro.tasks.generating import OPTIONS, flat, prefix_of, text_of
from gatonegro.tasks.generating import generate as generate_text
from gatonegro.tasks.task import Encoded, Notice, RowOutput, Task, notice, truncates
from gatonegro.tasks.tokens import check_str
from gatonegro.tokenization import Tokenizer

NAMED = re.compile(r"translation_([a-z]{2,3}(?:_[A-Za-z]+)?)_to_([a-z]{2,3}(?:_[A-Za-z]+)?)")


@dataclass
class Part:
    """Part of a document: a sentence and its index among the document's sequences, or text that is copied."""

    text: str
    sequence: int | None = None
    instead: list[Part] = field(default_factory=list)  # the same in pieces, where the sentence lost something


@dataclass
class Document:
    """A row: its parts, the prefix of its sentences, its source and target languages."""

    parts: list[Part]
    front: str
    same: str = ""  # the wanted language, where some of it is in it already
    source: str | None = None  # as far as it is known
    target: str | None = None


def languages(options: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the source and target languages that the options name, or None."""
    named = NAMED.fullmatch(options["direction"] or "")
    source, target = named.groups() if named else (None, None)
    return options["src_lang"] or source, options["tgt_lang"] or target


def task_name(config: Config, options: Mapping[str, Any]) -> str:
    """Return the task's name in config.json's `task_specific_params`."""
    source, target = languages(options)
    if source is not None and target is not None:
        return f"translation_{source}_to_{target}"
    known = config.extra.get("task_specific_params")
    names = [name for name in known if NAMED.fullmatch(str(name))] if isinstance(known, Mapping) else []
    return next((name for name in names if target is None or name.endswith(f"_to_{target}")), "translation")


def ways(tokenizer: Tokenizer, known: list[str], options: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the source and target languages; OptionError: the model cannot translate so."""
    source, target = languages(options)
    own = tokenizer.marian.languages if tokenizer.marian else {}
    if own and (source or target) and any(piece.startswith(">>") for piece in tokenizer.get_vocab()):
        own = {}  # groups of languages; the text itself says which one is wanted
    for lang, name, only in ((source, "src_lang", "source_lang"), (target, "tgt_lang", "target_lang")):
        can = known or [own[only]] if only in own else known
        if lang is not None and can and lang not in can:
            close = re.split(r"[-_]", lang.lower())[0]
            hint = Message(f" Pass {close!r}.", f" Pasa {close!r}.") if close in can else EMPTY
            raise OptionError(
                f"{name}={lang!r:.40} is not known to this model; it knows {', '.join(can)}.{hint.en}",
                f"este modelo no conoce {name}={lang!r:.40}; conoce {', '.join(can)}.{hint.es}",
            )
    if source is not None and source == target:
        raise OptionError(
            f"from {source} to {target} there is nothing to translate; name two languages.",
            f"de {source} a {target} no hay nada que traducir; nombra dos idiomas.",
        )
    return (source, target) if known else (source or own.get("source_lang"), target or own.get("target_lang"))


Read = tuple[Segment, list[int]]  # a sentence and its ids, or what goes through and none


def read(
    tokenizer: Tokenizer, front: str, whole: Sequence[Segment], limit: int, options: Mapping[str, Any]
) -> list[Read]:
    """Return sentences with their ids. A sentence that is too long is cut where that hurts least; one in letters that
    the tokenizer lacks gets no ids and is copied."""
    texts = [front + segment.text for segment in whole if segment.translate]
    ids = iter(tokenizer(texts, truncation=truncates(options), max_length=limit)["input_ids"] if texts else ())
    out: list[Read] = []
    for segment in whole:
        own = list(next(ids)) if segment.translate else []
        if tokenizer.unk_token_id in own:
            known = tokenizer.decode([i for i in own if i != tokenizer.unk_token_id], skip_special_tokens=True)
            own = own if 2 * sum(map(str.isalpha, known)) >= sum(map(str.isalpha, segment.text)) else []
        if len(own) > limit and len(segment.text) > 1:
            longest = max(1, min(len(segment.text) // 2, len(segment.text) * limit // len(own) * 3 // 4))
            out += read(tokenizer, front, segments(segment.text, longest), limit, options)
        else:
            out.append((segment, own))
    return out


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Return the sentences of documents. Unless the source language is named, sentences that seem to be in the target
    language are copied."""
    limit, known = min(config.max_tokens, tokenizer.model_max_length), target_languages(tokenizer, config)
    prefix = prefix_of(config, task_name(config, options))
    named, (from_, to) = languages(options)[0], ways(tokenizer, known, options)
    ids: list[list[int]] = []
    row_of: list[int] = []
    notes: list[Document] = []
    notices: dict[int, list[Notice]] = {}
    for i, row in enumerate(rows):
        seems = named or detect_language(row)
        source, target = from_, to
        if known:
            target = target or other_language(known, seems if seems in known else known[0])
            source = source or (other_language(known, target) if seems in known else None)
        front = prefix + (LANGUAGE_TAG.format(target) + " " if known else "")
        document = Document([], front, source=source, target=target)
        # a streamer is told of one sequence, whatever becomes of it
        at_once = options["streamer"] is not None or not options["sentences"]
        whole = [Segment(row, True)] if at_once else segments(row)
        if named is None and target is not None and options["streamer"] is None:
            done = {one for one in whole if one.translate and (detect_language(one.text) or seems) == target}
            whole = [replace(one, translate=False) if one in done else one for one in whole]
            document.same = target if done else ""
            if done:
                notices.setdefault(i, []).append(notice("same", language=target))
        found, places = read(tokenizer, document.front, whole, limit, options), count()
        document.parts = [Part(segment.text, next(places) if own else None) for segment, own in found]
        if any(segment.translate and not own for segment, own in found):
            notices.setdefault(i, []).append(notice("strange"))
        notes.append(document)
        ids += [own for _, own in found if own]
        row_of += [i for _, own in found if own]
    return Encoded(ids, row_of, limit, notes=notes, notices=notices)


def retry(
    tokenizer: Tokenizer, config: Config, encoded: Encoded, answers: Mapping[int, Any], options: Mapping[str, Any]
) -> Encoded:
    """Add sequences for sentences whose translation lost a number, a link or a placeholder, or has one more: the pieces
    between all of these."""
    ids, row_of = list(encoded.ids), list(encoded.row_of)
    numbers = count()  # sequences stand in the order of their sentences
    keep = options["keep"] and options["streamer"] is None
    for row, document in enumerate(encoded.notes or () if keep else ()):
        sentences = [part for part in document.parts if part.sequence is not None]
        places = count(len(sentences))
        for part in sentences:
            answer = answers.get(next(numbers))
            if answer is None or holds(part.text, text_of(tokenizer, answer[0].ids, options)):
                continue
            for segment, own in read(tokenizer, document.front, around(part.text), encoded.limit, options):
                part.instead.append(Part(segment.text, next(places) if own else None))
                if own:
                    ids.append(own)
                    row_of.append(row)
    return replace(encoded, ids=ids, row_of=row_of)


def generate(
    model: Model, tokenizer: Tokenizer, ids: Sequence[Sequence[int]], options: Mapping[str, Any]
) -> list[list[Written]]:
    outputs = generate_text(model, tokenizer, ids, options, task_name(model.config, options))
    if not options["return_alignments"]:
        return outputs
    assert isinstance(model, LanguageModel)
    prefix = tokenizer(prefix_of(model.config, task_name(model.config, options)).strip(), add_special_tokens=False)
    tags = tokenizer.convert_tokens_to_ids(list(map(LANGUAGE_TAG.format, target_languages(tokenizer, model.config))))
    aligned = []
    for source, some in zip(ids, outputs, strict=True):
        front, back = source_prefix(source, tokenizer.all_special_ids, tags, prefix["input_ids"])
        aligned.append([with_attention(model, source, output, front, back) for output in some])
    return aligned


def source_prefix(
    ids: Sequence[int], special: Sequence[int], tags: Sequence[int], prefix: Sequence[int]
) -> tuple[int, list[int] | None]:
    """Return the length of a source's prefix (special tokens, language tag or task prefix), and the prefix of the
    reverse direction if there are exactly two tags."""
    first = next((i for i, token in enumerate(ids) if token not in special or token in tags), 0)
    if ids[first] in tags:
        others = [tag for tag in tags if tag != ids[first]]
        return first + 1, [*ids[:first], *others] if len(others) == 1 else None
    return first + len(prefix) * (list(ids[first : first + len(prefix)]) == list(prefix)), None


def decode(tokenizer: Tokenizer, config: Config, output: RowOutput, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the translated documents: of the best sentences, of the second best, up to `num_return_sequences`."""
    document: Document = output.note
    parts = [piece for part in document.parts for piece in part.instead or [part]]
    out: list[dict[str, Any]] = []
    for rank in range(max([1, *map(len, output.answers)])):
        chosen = [None if part.sequence is None else ranked(output.answers[part.sequence], rank) for part in parts]
        used = [sentence for sentence in chosen if sentence is not None]
        if options["return_tensors"]:
            out += [{"translation_token_ids": [i for sentence in used for i in sentence.ids]}] if used else []
            continue
        texts = [
            part.text if sentence is None else text_of(tokenizer, sentence.ids, options)
            for part, sentence in zip(parts, chosen, strict=True)
        ]
        out.append({"translation_text": "".join(texts)})
        if options["return_scores"]:
            if unfinished := next((sentence.unfinished for sentence in used if sentence.unfinished), None):
                out[-1]["unfinished"] = unfinished
            out[-1]["score"] = sum(sentence.score for sentence in used) / len(used) if used else None
        if options["return_languages"]:
            out[-1] |= {"src_lang": document.source if used else document.same or document.source}
            out[-1] |= {"tgt_lang": document.target}
        if options["return_alignments"]:
            out[-1]["alignments"] = aligned(tokenizer, parts, chosen, texts, options)
    return out


def ranked(some: Sequence[Written], rank: int) -> Written:
    return some[min(rank, len(some) - 1)]


def aligned(
    tokenizer: Tokenizer,
    parts: Sequence[Part],
    chosen: Sequence[Written | None],
    texts: Sequence[str],
    options: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return which words of a document come from which, at their places in the whole."""
    found: list[dict[str, Any]] = []
    source = target = 0
    for part, sentence, text in zip(parts, chosen, texts, strict=True):
        if sentence is not None and sentence.attention is not None:
            skip = options["skip_special_tokens"]
            for link in word_links(tokenizer, part.text, sentence.new, text, sentence.attention, skip):
                link["source_span"] = [source + at for at in link["source_span"]]
                link["target_span"] = [target + at for at in link["target_span"]]
                found.append(link)
        source, target = source + len(part.text), target + len(text)
    return found


DIRECTION = Check(
    lambda x: isinstance(x, str) and NAMED.fullmatch(x) is not None,
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
    wrap=flat,
    options={
        **OPTIONS,
        "direction": Option(None, optional(DIRECTION)),  # the task's name, where it says "translation_es_to_en"
        "src_lang": Option(None, optional(TEXT)),
        "tgt_lang": Option(None, optional(TEXT)),
        "sentences": Option(True, FLAG),  # documents are cut into sentences, which models are made for
        "return_languages": Option(False, FLAG),
        "return_alignments": Option(False, FLAG),  # which word came from which
        "keep": Option(True, FLAG),  # numbers, links, placeholders: a sentence that loses one is translated in pieces
    },
    example="Helsinki-NLP/opus-mt-es-en",
)
