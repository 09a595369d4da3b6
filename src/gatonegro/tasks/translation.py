"""A text in another language. A document is cut into sentences, and put back as it was."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from gatonegro.config import Config
from gatonegro.errors import OptionError
from gatonegro.generation import Written
from gatonegro.language import guess
from gatonegro.models import LanguageModel, Model
from gatonegro.segments import Segment, around, missing, segments
from gatonegro.tasks.alignment import links, with_attention
from gatonegro.tasks.task import FLAG, Encoded, Said, Task, truncates
from gatonegro.tasks.tokens import check_str
from gatonegro.tasks.writing import ALLOWED_HERE, OPTIONS, TEXT, flat, prefix_of, text_of, written
from gatonegro.tokenization import Tokenizer
from gatonegro.wording import both

NAMED = re.compile(r"translation_([a-z]{2,3}(?:_[A-Za-z]+)?)_to_([a-z]{2,3}(?:_[A-Za-z]+)?)")
TAG = ">>{}<<"  # in front of a source, the language that it is wanted in, where a model knows several


@dataclass
class Part:
    """Of a document: a sentence and which of the document's sequences is asked for it, or what goes through."""

    text: str
    asked: int | None = None
    instead: list[Part] = field(default_factory=list)  # the same in pieces, where the sentence lost something


@dataclass
class Document:
    """A row: its parts, what stands in front of its sentences, and the language that it is in already, if it is."""

    parts: list[Part]
    front: str
    same: str
    source: str | None = None  # the language that it is taken to be in, and the one that is wanted, if they are known
    target: str | None = None


def languages(options: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """From which language and into which, as far as that was said."""
    named = NAMED.fullmatch(options["direction"] or "")
    source, target = named.groups() if named else (None, None)
    return options["src_lang"] or source, options["tgt_lang"] or target


def name_of(config: Config, options: Mapping[str, Any]) -> str:
    """The task as config.json's `task_specific_params` may know it."""
    source, target = languages(options)
    if source is not None and target is not None:
        return f"translation_{source}_to_{target}"
    known = config.extra.get("task_specific_params") or {}
    return next((name for name in known if name.startswith("translation")), "translation")


def targets(tokenizer: Tokenizer, config: Config) -> list[str]:
    """The languages that a model is asked for by a tag."""
    known, there = config.extra.get("languages") or (), tokenizer.backend_tokenizer.token_to_id
    return [lang for lang in known if isinstance(lang, str) and there(TAG.format(lang)) is not None]


def direction(text: str, known: list[str], options: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """From which language into which a text is to go, and which it seems to be in."""
    source, target = languages(options)
    for lang in (source, target):
        if lang is not None and lang not in known:
            raise OptionError(
                both(
                    f"the language {lang!r:.40} is not known to this model; it knows {', '.join(known)}.",
                    f"este modelo no conoce el idioma {lang!r:.40}; conoce {', '.join(known)}.",
                )
            )
    seems = guess(text)
    if target is None:
        found = source or (seems if seems in known else known[0])
        target = next((lang for lang in known if lang != found), found)
    return source or next((lang for lang in known if lang != target), target), target, seems


Read = tuple[Segment, list[int]]  # a sentence and its ids, or what goes through and none


def read(
    tokenizer: Tokenizer, front: str, whole: Sequence[Segment], limit: int, options: Mapping[str, Any]
) -> list[Read]:
    """The ids of sentences. One that is too long for the model is cut where that hurts least."""
    texts = [front + segment.text for segment in whole if segment.translate]
    ids = iter(tokenizer(texts, truncation=truncates(options), max_length=limit)["input_ids"] if texts else ())
    out: list[Read] = []
    for segment in whole:
        own = list(next(ids)) if segment.translate else []
        if len(own) > limit and len(segment.text) > 1:
            longest = max(1, min(len(segment.text) // 2, len(segment.text) * limit // len(own) * 3 // 4))
            out += read(tokenizer, front, segments(segment.text, longest), limit, options)
        else:
            out.append((segment, own))
    return out


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Documents into sentences; what is in the wanted language already goes through as it is."""
    limit, known = min(config.max_tokens, tokenizer.model_max_length), targets(tokenizer, config)
    prefix = prefix_of(config, name_of(config, options))
    ids: list[list[int]] = []
    owners: list[int] = []
    notes: list[Document] = []
    for i, row in enumerate(rows):
        front, same, ways = prefix, "", languages(options)
        if known:
            source, target, seems = direction(row, known, options)
            ways = source, target
            front += TAG.format(target) + " "
            same = target if seems == target != source else ""
        whole = segments(row) if options["sentences"] and not same else [Segment(row, not same)]
        found, places = read(tokenizer, front, whole, limit, options), count()
        parts = [Part(segment.text, next(places) if own else None) for segment, own in found]
        notes.append(Document(parts, front, same, *ways))
        ids += [own for _, own in found if own]
        owners += [i for _, own in found if own]
    return Encoded(ids, owners, limit, notes=notes)


def again(
    tokenizer: Tokenizer, config: Config, encoded: Encoded, answers: Mapping[int, Any], options: Mapping[str, Any]
) -> Encoded:
    """Sentences whose translation lost a number, a link or a placeholder are asked for once more, in the pieces
    between what was lost."""
    ids, owners = list(encoded.ids), list(encoded.owners)
    numbers = count()  # sequences stand in the order of their sentences
    for owner, document in enumerate(encoded.notes or () if options["keep"] else ()):
        asked = [part for part in document.parts if part.asked is not None]
        places = count(len(asked))
        for part in asked:
            lost = missing(part.text, text_of(tokenizer, answers[next(numbers)][0].ids, options))
            if not lost:
                continue
            for segment, own in read(tokenizer, document.front, around(part.text, lost), encoded.limit, options):
                part.instead.append(Part(segment.text, next(places) if own else None))
                if own:
                    ids.append(own)
                    owners.append(owner)
    return replace(encoded, ids=ids, owners=owners)


def write(
    model: Model, tokenizer: Tokenizer, ids: Sequence[Sequence[int]], options: Mapping[str, Any]
) -> list[list[Written]]:
    out = written(model, tokenizer, ids, options, name_of(model.config, options))
    if not options["return_alignments"]:
        return out
    assert isinstance(model, LanguageModel)
    tags = tokenizer.convert_tokens_to_ids([TAG.format(lang) for lang in targets(tokenizer, model.config)])
    aligned = []
    for source, some in zip(ids, out, strict=True):
        front = int(source[0] in tags)
        other = [tag for tag in tags if tag != source[0]] if front else []
        back = other if len(other) == 1 else None
        aligned.append([with_attention(model, source, one, front, back) for one in some])
    return aligned


@dataclass
class Place:
    """How far a document has been put together, on both sides, and what is to be told of it."""

    source: int = 0
    text: str = ""
    used: list[Written] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)


def decode(tokenizer: Tokenizer, config: Config, said: Said, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The document, as often as sequences were asked for, put together of the best sentences, the second best …"""
    document: Document = said.note
    if options["return_tensors"]:
        return [{"translation_token_ids": one.ids} for one in said.answers[0]] if said.answers else []
    out: list[dict[str, Any]] = []
    for number in range(max([1, *map(len, said.answers)])):
        place = Place()
        for part in document.parts:
            _put_together(part, said.answers, number, tokenizer, options, place)
        out.append({"translation_text": place.text})
        if options["return_scores"]:
            out[-1]["score"] = sum(one.score for one in place.used) / len(place.used) if place.used else 0.0
        if options["return_languages"]:
            out[-1] |= {"src_lang": document.same or document.source, "tgt_lang": document.target}
        if options["return_alignments"]:
            out[-1]["alignments"] = place.links
    return out


def _put_together(
    part: Part, answers: Sequence[Any], number: int, tokenizer: Tokenizer, options: Mapping[str, Any], place: Place
) -> None:
    for one in part.instead:
        _put_together(one, answers, number, tokenizer, options, place)
    if part.instead:
        return
    text = part.text
    if part.asked is not None:
        one = answers[part.asked][min(number, len(answers[part.asked]) - 1)]
        text = text_of(tokenizer, one.ids, options)
        place.used.append(one)
        if one.attention is not None:
            for link in links(tokenizer, part.text, one.new, text, one.attention):
                for side, begun in (("source_span", place.source), ("target_span", len(place.text))):
                    link[side] = [begun + at for at in link[side]]
                place.links.append(link)
    place.source += len(part.text)
    place.text += text


TRANSLATION = Task(
    name="translation",
    head="seq2seq-lm",
    check=check_str,
    encode=encode,
    write=write,
    again=again,
    decode=decode,
    wrap=flat,
    options={
        **OPTIONS,
        "direction": None,  # the task's name, where it says "translation_es_to_en"
        "src_lang": None,
        "tgt_lang": None,
        "sentences": True,  # documents are cut into sentences, which models are made for
        "return_languages": False,
        "return_alignments": False,  # which word came from which
        "keep": True,  # numbers, links, placeholders: a sentence that loses one is translated in pieces
    },
    allowed={
        **ALLOWED_HERE,
        **dict.fromkeys(("direction", "src_lang", "tgt_lang"), TEXT),
        "sentences": FLAG,
        "keep": FLAG,
        "return_languages": FLAG,
        "return_alignments": FLAG,
    },
    example="Helsinki-NLP/opus-mt-es-en",
    model="translate-es-en",
)
