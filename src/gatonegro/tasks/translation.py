"""Translation of documents sentence by sentence, with the text between sentences copied."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gatonegro.checks import FLAG, TEXT, Check, Option, one_of, optional
from gatonegro.config import Config
from gatonegro.errors import OptionError
from gatonegro.generation import Generated
from gatonegro.i18n import EMPTY, Message
from gatonegro.language import LANGUAGE_TAG, detect_language, other_language, target_languages
from gatonegro.tasks.generation import (
    GENERATION_OPTIONS,
    as_tensors,
    decode_text,
    flatten_single,
    task_prefix,
    text_keys,
)
from gatonegro.tasks.generation import generate as generate_text
from gatonegro.tasks.task import MESSAGES, TASK_NAME_PATTERN, Encoded, Notice, RowOutput, Task, columns, notice
from gatonegro.tasks.windows import check_str
from gatonegro.text_model import TextModel
from gatonegro.tokenization import Tokenizer

# The functions import `documents` and what needs it themselves: that takes 60 ms, which other tasks need not pay.


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


def encode(tokenizer: Tokenizer, config: Config, rows: Sequence[Any], options: Mapping[str, Any]) -> Encoded:
    """Encode the sentences of documents as token ids, leaving those already in the target language to be copied."""
    from gatonegro.documents import Direction, decimal_symbol, remove_invisible
    from gatonegro.tasks.document import Document, Sequences, document_segments, encode_parts

    limit, known = min(config.max_tokens, tokenizer.model_max_length), target_languages(tokenizer, config)
    task_text = task_prefix(config, task_name(config, options))
    named, (from_, to) = named_languages(options)[0], resolve_languages(tokenizer, known, options)
    documents: list[Document] = []
    notices: dict[int, list[Notice]] = {}
    encoded = Sequences()
    for i, row in enumerate(rows):
        text = remove_invisible(row)
        segments, marks = document_segments(text.text, options)
        prose = " ".join(segment.text for segment in segments if segment.translate)  # marks look like another language
        detected = named or detect_language(prose)
        source, target = from_, to
        if known:
            target = target or other_language(known, detected if detected in known else known[0])
            source = source or (other_language(known, target) if detected in known else None)
        prefix = task_text + (LANGUAGE_TAG.format(target) + " " if known else "")
        language = source or (other_language(known, target) if len(known) == 2 else None)
        convert = options["numbers"] == "convert" and options["streamer"] is None
        direction = Direction(language, target, decimal_symbol(text.text, language) if convert else "")
        document = Document(text, [], prefix, source=source, target=target, direction=direction)
        if named is None and target is not None and options["streamer"] is None:
            copied = {s for s in segments if s.translate and (detect_language(s.text) or detected) == target}
            segments = [replace(s, translate=False) if s in copied else s for s in segments]
            if copied:
                document.copied_language = target
                notices.setdefault(i, []).append(notice("same", language=target))
        document.parts = encode_parts(tokenizer, document, segments, marks, limit, options)
        if any(part.is_unknown for part in document.parts):
            notices.setdefault(i, []).append(notice("strange"))
        documents.append(document)
        encoded.add(i, document, document.parts)
    return Encoded(encoded.ids, encoded.row_of, limit, row_data=documents, notices=notices, options=encoded.options)


def retry(
    tokenizer: Tokenizer, config: Config, encoded: Encoded, answers: Mapping[int, Any], options: Mapping[str, Any]
) -> Encoded:
    """Add token sequences for other readings of sentences whose translation lost something, and for their pieces.

    A word or short phrase that was copied, or translated with a low score, is read in other spellings too.
    """
    from gatonegro.documents import EditedText, split_at_items
    from gatonegro.tasks.document import DocumentPart, Sequences, encode_parts
    from gatonegro.tasks.variants import variants

    if options["streamer"] is not None or not options["keep"]:
        return encoded
    more = Sequences(list(encoded.ids), list(encoded.row_of), dict(encoded.options))
    for row, document in enumerate(encoded.row_data or ()):
        pieces = [piece for part in document.parts for piece in part.pieces]
        for part in [*document.parts, *pieces]:
            answer = None if part.sequence is None else answers.get(document.sequences[part.sequence])
            if answer is None or part.is_checked:
                continue
            part.is_checked = True
            plain = decode_text(tokenizer, answer[0].ids, options)
            if not document.direction.preserves(part.text, document.translation(part, plain).text):
                forms, is_respelled = document.direction.readings(part.text)[1:], False
                segments = split_at_items(part.text, document.direction.source)
                if len(segments) > 1 and document.direction.loses_items(part.text, plain):
                    parts = encode_parts(tokenizer, document, segments, part.marks, encoded.max_length, options)
                    part.pieces = [replace(piece, is_piece=True) for piece in parts]
                    more.add(row, document, part.pieces)
            else:
                spellings = [] if options["do_sample"] else variants(part.text, plain, answer[0].score)
                forms, is_respelled = [EditedText(text) for text in spellings], True
            if forms:
                part.variants = [
                    DocumentPart(part.text, form, list(ids), marks=part.marks, is_respelled=is_respelled)
                    for form, ids in zip(
                        forms, tokenizer([document.prefix + f.text for f in forms])["input_ids"], strict=True
                    )
                    if len(ids) <= encoded.max_length
                ]
                more.add(row, document, part.variants)
    return replace(encoded, ids=more.ids, row_of=more.row_of, options=more.options)


def generate(
    model: TextModel, tokenizer: Tokenizer, ids: Sequence[Sequence[int]], options: Mapping[str, Any]
) -> list[list[Generated]]:
    """Generate translations of each source sequence, with attention to its tokens if `return_alignments` is set."""
    from gatonegro.tasks.alignment import add_attention
    from gatonegro.tasks.doubt import Calibration

    outputs = generate_text(model, tokenizer, ids, options, task_name(model.config, options))
    is_judged = options["doubt"] and Calibration.of(model.config) is not None
    if not is_judged and not options["return_alignments"]:
        return outputs
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
    model: TextModel,
    ids: Sequence[Sequence[int]],
    outputs: Sequence[Sequence[Generated]],
    prefixes: Sequence[tuple[int, Sequence[int] | None]],
) -> list[list[Generated]]:
    """Return copies of translations with the values by which a `Calibration` judges them, if the model can reverse."""
    from gatonegro.tasks.doubt import pair_features

    eos_ids = model.generation_config.resolve().eos_ids
    rows = [
        (source, [token for token in output.new_ids if token not in eos_ids], prefix)
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
    from gatonegro.tasks.document import document_links, final_parts, translate_part
    from gatonegro.tasks.doubt import Calibration, document_doubts, sentence_doubts

    document = output.data
    found = [final_parts(tokenizer, document, part, output.answers, options) for part in document.parts]
    parts = [part for final in found for part in final]
    kinds = {output.answers[part.sequence][0].unfinished for part in parts if part.sequence is not None}
    output.notices[:] = [n for n in output.notices if n.kind not in ("loop", "limit") or n.kind in kinds]
    calibration = Calibration.of(config) if options["doubt"] else None
    out: list[dict[str, Any]] = []
    answers = [None if part.sequence is None else output.answers[part.sequence] for part in parts]
    for rank in range(max([1, *map(len, output.answers)])):
        chosen = [rows and rows[min(rank, len(rows) - 1)] for rows in answers]  # or the last one
        used = [sentence for sentence in chosen if sentence is not None]
        if options["return_tensors"]:
            out += [{"translation_token_ids": [i for sentence in used for i in sentence.ids]}] if used else []
            continue
        translated = [translate_part(tokenizer, document, *pair, options) for pair in zip(parts, chosen, strict=True)]
        out.append({"translation_text": "".join(part.target for part in translated)})
        if options["doubt"]:
            languages, judged = (document.direction.source, document.target), []
            rows = zip(translated, chosen, strict=True)
            for part, final in zip(document.parts, found, strict=True):
                pieces = [next(rows) for _ in final]
                answer, ones = "".join(piece.text for piece, _ in pieces), [one for _, one in pieces if one]
                if ones or (document.copied_language and any(map(str.isalpha, answer))):  # or left as it is
                    features = [one.features for one in ones if one.features is not None]
                    worst = min(features, key=calibration.probability) if calibration and features else None
                    seen = worst, any(one.repeats for one in ones)
                    judged.append((part.text, sentence_doubts(part.text, answer, languages, calibration, *seen)))
            if doubts := document_doubts(judged):
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
            out[-1]["alignments"] = document_links(translated, document.text)
    return as_tensors(out, "translation_token_ids", tokenizer.pad_token_id) if options["return_tensors"] else out


def table_columns(config: Config, answer: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return an answer as a row of a table, which has the columns of doubts whether or not it is doubtful."""
    rows = [{**one, "doubtful": "doubt" in one, "doubt": "; ".join(one.get("doubt", {}).values())} for one in answer]
    return columns(rows)


def table_column_names(config: Config, options: Mapping[str, Any]) -> list[str]:
    """Return the columns of translations, which depend on the options."""
    names = text_keys(config, options, key="translation")
    if options["return_tensors"]:
        return [names[0], "doubtful", "doubt"]
    languages, links = options["return_languages"], options["return_alignments"]
    return [*names, *["src_lang", "tgt_lang"] * languages, *["alignments"] * links, "doubtful", "doubt"]


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
    columns=table_columns,
    column_names=table_column_names,
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
