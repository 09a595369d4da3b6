"""`explain`: the way of a text through a model, step by step."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatonegro.checks import check_text, ids_problem, not_finite, one_of
from gatonegro.errors import InputError, OptionError
from gatonegro.glassbox.attribution import attribute
from gatonegro.glassbox.diagnosing import resolve
from gatonegro.glassbox.explanation import Explanation
from gatonegro.glassbox.recording import Activations, Rows, output, stack_steps, step
from gatonegro.glassbox.steps import Step
from gatonegro.glassbox.toy import toy
from gatonegro.hub import locate
from gatonegro.i18n import Message, catalog, language
from gatonegro.language import Languages, detect_language, diagnosis_of, is_encoder_decoder, languages_of
from gatonegro.language.tags import LANGUAGE_TAG, other_language, target_languages
from gatonegro.models import LanguageModel, Model, head_of, load, share
from gatonegro.nn.loss import FUNCTIONS
from gatonegro.nn.watch import watch
from gatonegro.packing import Packed, pack
from gatonegro.pipelines import Pipeline
from gatonegro.preprocessing.transform import TextTransform, apply, resolve_transform
from gatonegro.tasks.generating import prefix_of
from gatonegro.tokenization import AutoTokenizer, Tokenizer

ATTRIBUTED = 128  # longest text to attribute, in tokens; attribution costs about 200 forward passes
LONG_NOTE = 300  # characters of a text to quote in a note
LIKELIEST = 5  # words of the vocabulary to show per place
NOTES = catalog(Path(__file__).parent / "notes.json")


def explain(
    text: str,
    model: Any = None,
    *,
    tokenizer: Tokenizer | None = None,
    lang: str | None = None,
    max_new_tokens: int = 64,
    revision: str | None = None,
    local_files_only: bool = False,
) -> Explanation:
    """Return every step from a text to an answer, with its words, its formula and the real numbers.

    Args:
        text: one text. If it is longer than the model can read, it is cut, with a note; a pipeline would read the rest
            too, in windows.
        model: a folder, a built-in's short name, a name on the hub, a pipeline, a model with its `tokenizer`, or "toy",
            the course's worked example; by default the built-in sentiment model.
        tokenizer: the model's own, where `model` is a model.
        lang: "es" or "en", the language of the explanation; by default the user's.
        max_new_tokens: most tokens that a model may write.
        revision, local_files_only: as in `from_pretrained`, for a name on the hub.

    For an optimized model, which a pipeline uses, the original weights are explained, with a note: in int8, say, scores
    may differ in the second digit.

    Raises:
        InputError: not a text, or one without tokens; a tokenizer of another model.
        OptionError: `lang` is not "es" or "en", or the text asks for a language that the model does not write.
        CheckpointError: the model's answer is NaN or infinite.
        MissingHeadError: a decoder has no head to write with.

    >>> explain("El gato negro", model="toy")["linear"].tensors["Q"][0]  # (h, t, d), the course's W for all three
    array([[2., 1., 2.], [4., 2., 4.], [6., 3., 6.]])
    """
    lang = language() if lang is None else lang
    one_of("es", "en")("lang", lang)
    check_text(text)
    if model == "toy":
        return toy(text, lang)
    subject = _subject(model, tokenizer, {"revision": revision, "local_files_only": local_files_only})
    source = share(subject.model.source, trainable=False).eval()  # the user's object keeps its mode
    prompt = _prompt(text, source, subject, max_new_tokens)
    with torch.no_grad():
        trace = (_written(source, subject.tokenizer, prompt.ids, max_new_tokens) if isinstance(source, LanguageModel)
                 else _read(source, subject.tokenizer, prompt.ids))  # fmt: skip
    name, cut = str(subject.model.name_or_path), trace.pop("cut", False)
    steps = tuple(replace(each, lang=lang) for each in trace.pop("steps"))
    notes = _notes(text, prompt, subject.model.precision, max_new_tokens if cut else 0, "answer" in trace)
    diagnosis = diagnosis_of(text, name, subject.tokenizer, subject.languages, is_encoder_decoder(source.config))
    tokens = tuple(subject.tokenizer.convert_ids_to_tokens(prompt.ids))
    return Explanation(text, name, lang, tokens, steps, notes=notes, diagnosis=diagnosis, **trace)


@dataclass(frozen=True)
class _Subject:
    """A model to explain, with its tokenizer and preprocessing."""

    model: Model
    tokenizer: Tokenizer
    languages: Languages
    transform: TextTransform | None  # preprocessing of a text
    task: str = ""


def _subject(model: Any, tokenizer: Tokenizer | None, where: Mapping[str, Any]) -> _Subject:
    found = resolve(model)
    if isinstance(found, Pipeline):
        return _Subject(found.model, found.tokenizer, found.languages, found.transform, found.task)
    if isinstance(found, str):
        model = load(found, head_of(found, **where) or "none", **where)
        tokenizer = AutoTokenizer.from_pretrained(found, **where) if tokenizer is None else tokenizer
    if not isinstance(model, Model) or not isinstance(tokenizer, Tokenizer):
        raise InputError(
            "model must be a name, a folder, a pipeline, or a model with tokenizer=.",
            "model debe ser un nombre, una carpeta, un pipeline, o un modelo con tokenizer=.",
        )
    source = locate(found, **where) if isinstance(found, str) else tokenizer.name_or_path or None
    languages = languages_of(tokenizer, model.config.extra, source)
    transform = resolve_transform("auto", model.name_or_path, model.config.extra, tokenizer.get_vocab)
    return _Subject(model, tokenizer, languages, transform)


class _Prompt(NamedTuple):
    """A text as a pipeline would pass it to the model."""

    read: str  # the preprocessed text
    tag: str  # the tag put in front to ask for a language; "" if the text has one, or the model has none
    ids: list[int]  # cut to the model's length
    length: int  # tokens of the whole text


def _prompt(text: str, model: Model, subject: _Subject, new: int) -> _Prompt:
    """Preprocess a text, put the prefix of its task or the tag of a language in front of it, and tokenize it."""
    tokenizer, transform = subject.tokenizer, subject.transform
    read = text if transform is None else apply(text, transform)
    known = target_languages(tokenizer, model.config)
    given = re.match(r"\s*>>([^<>\s]{1,31})<<", read)
    if known and given and given[1] not in known:
        tags = ", ".join(map(LANGUAGE_TAG.format, known))
        raise OptionError(
            f"the model has no {given[0].strip()}; it has {tags}.",
            f"el modelo no tiene {given[0].strip()}; tiene {tags}.",
        )
    front, tag = prefix_of(model.config, subject.task), ""
    if known and not given:
        tag = LANGUAGE_TAG.format(other_language(known, detect_language(read) or known[0]))
        front += tag + " "
    limit = min(model.config.max_tokens, tokenizer.model_max_length)
    if isinstance(model, LanguageModel) and model.config.decoder is None:
        limit -= max(1, min(new, limit // 2))  # tokens kept for what it writes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a note says that the text is long
        every: list[int] = tokenizer(front + read)["input_ids"]
        ids = tokenizer(front + read, truncation=True, max_length=limit)["input_ids"] if len(every) > limit else every
    if problem := ids_problem(ids, model.config.vocab_size):
        raise InputError(f"the text {problem.en}", f"el texto {problem.es}")
    return _Prompt(read, tag, ids, len(every))


def _notes(text: str, prompt: _Prompt, precision: str, cut: int, answered: bool) -> tuple[Message, ...]:
    """Return the notes on the whole explanation, in order.

    Args:
        cut: tokens after which the model's text was cut; 0 if it was not.
        answered: whether there are labels, which are attributed to words.
    """
    tokens = len(prompt.ids)
    conditions = {
        "blank": not text.strip(),
        "optimized": precision,
        "tag": prompt.tag,
        "changed": prompt.read != text,
        "long": prompt.length > tokens,
        "cut": cut,
        "unattributed": answered and tokens > ATTRIBUTED,
    }
    values = {"precision": precision, "tag": prompt.tag, "read": prompt.read[:LONG_NOTE], "length": prompt.length,
              "limit": tokens, "max_new_tokens": cut, "attributed": ATTRIBUTED}  # fmt: skip
    return tuple(NOTES[name].format(**values) for name, applies in conditions.items() if applies)


def _vectorization(
    part: Any, seen: Activations, name: str, packed: Packed, rows: Sequence[str], tokens: Tensor | None = None
) -> Step:
    tensors: dict[str, Tensor | None] = {
        "ids": packed.ids,
        "tokens": output(seen, f"{name}.tokens") if f"{name}.tokens" in seen else tokens,
        "positions": output(seen, f"{name}.positions") if f"{name}.positions" in seen else None,
        "segment": None if part.segments is None else part.segments.weight[0],
        "x": output(seen, name),
    }
    formula = "E[id]" if part.scale == 1.0 else "√d·E[id]"
    formula += "" if part.positions is None else " + P[position]"
    formula += "" if part.segments is None else " + S[segment]"
    formula = f"x = {formula}" if part.norm is None else f"x = norm({formula})"
    where = "" if name == "embeddings" else "decoder."
    variant = "relative_vectorization" if part.positions is None else ""
    return step("vectorization", where, formula, variant, tensors=tensors, rows=tuple(rows))


def _read(model: Model, tokenizer: Tokenizer, ids: list[int]) -> dict[str, Any]:
    """Run an encoder and its head. Return `steps`, and other fields of an Explanation."""
    packed, names = pack([ids], model.config).to(model.device), tokenizer.convert_ids_to_tokens(ids)
    with watch(model) as seen:
        result = model.run(packed)
    if not result.isfinite().all():
        raise not_finite(model.dtype)
    rows = Rows(tuple(names))
    steps = [_vectorization(model.embeddings, seen, "embeddings", packed, names)]
    steps += stack_steps(model.encoder, seen, output(seen, "embeddings"), "encoder", rows)
    z, head = output(seen, "encoder"), model.task_head
    inner = {part: output(seen, f"head.{part}") for part in ("dense", "activation", "norm") if f"head.{part}" in seen}
    if head in ("none", "pooler"):
        pooled = {"pooled": inner["activation"]} if inner else {}
        return {"steps": (*steps, step("vectors", tensors={"z": z, **pooled}, rows=rows.own))}
    assert model.head is not None
    weights = {f"{part}.{n}": x for part, module in model.head.named_children() for n, x in module.named_parameters()}
    if head != "sequence-classification":
        masked = head == "masked-lm"
        kind, variant = ("next", "masked_next") if masked else ("tokens", "")
        last, words = _likeliest(result, kind, rows, {"z": z, **inner}, variant, weights=weights)
        labels = model.config.id2label
        shown = tokenizer.convert_ids_to_tokens(words) if masked else [labels[i] for i in words]
        return {"steps": (*steps, last), "words": dict(zip(words, shown, strict=True))}
    shares = FUNCTIONS[model.config.score_function](result[0])
    tensors = {"z_0": z[0], **{part: x[0] for part, x in inner.items()}, "logits": result[0], "probs": shares}
    variant = {"softmax": ""}.get(model.config.score_function, f"{model.config.score_function}_head")
    steps.append(step("head", variant=variant, tensors=tensors, weights=weights))
    ranked = sorted(zip(model.config.id2label.values(), shares.tolist(), strict=True), key=lambda pair: -pair[1])
    if len(ids) <= ATTRIBUTED:
        best = int(shares.argmax())
        added, delta = attribute(model, ids, best, set(tokenizer.all_special_ids))
        tensors = {"attribution": added, "sum": added.sum(), "delta": torch.tensor(delta)}
        steps.append(step("attribution", tensors=tensors, rows=rows.own))
    return {"steps": tuple(steps), "answer": tuple(ranked)}


def _likeliest(
    scores: Tensor, kind: str, rows: Rows, tensors: Mapping[str, Tensor], variant: str = "", **more: Any
) -> tuple[Step, list[int]]:
    """Return the step of the likeliest words or labels per place, and their ids. scores: (t, words or labels)"""
    shares, ids = scores.softmax(-1).topk(min(LIKELIEST, scores.shape[-1]))
    tensors = {**tensors, "likeliest": ids, "probs": shares, "sum": scores.logsumexp(-1)}
    last = step(kind, variant=variant, tensors=tensors, rows=rows.own, columns=rows.written, **more)
    return last, sorted(set(ids.flatten().tolist()))


def _written(model: LanguageModel, tokenizer: Tokenizer, ids: list[int], new: int) -> dict[str, Any]:
    """Let a model write, the likeliest word each time; then run it once over the whole text, in which each word attends
    to the same words as when it was written. Return `steps`, and other fields of an Explanation."""
    decoder = model.config.decoder
    config = model.generation_config.with_options(
        {"num_beams": 1, "do_sample": False, "max_new_tokens": new, "num_return_sequences": 1}
    )
    names = tokenizer.convert_ids_to_tokens
    ((text,),) = model.write(None, [ids], config) if decoder is None else model.write([ids], options=config)
    written = text.ids
    begun = written[:-1] or written
    packed = pack([begun], decoder or model.config).to(model.device)
    read = packed if decoder is None else pack([ids], model.config).to(model.device)
    with watch(model) as seen:
        scores = model.run(read, written=packed)
    if not scores.isfinite().all():
        raise not_finite(model.dtype)
    rows = Rows(tuple(names(begun)), tuple(names(written))[1:])
    source = rows if decoder is None else Rows(tuple(names(ids)))
    steps = [_vectorization(model.embeddings, seen, "embeddings", read, source.own)]
    x = output(seen, "embeddings")
    if decoder is not None:
        steps += stack_steps(model.encoder, seen, x, "encoder", source)
        rows = replace(rows, read=source.own, memory=output(seen, "encoder"))
        vectors = model.embeddings.tokens(packed.ids)
        steps.append(_vectorization(model.decoder_embeddings, seen, "decoder_embeddings", packed, rows.own, vectors))
        x = output(seen, "decoder_embeddings")
    steps += stack_steps(model.decoder, seen, x, "decoder", rows)
    assert model.head is not None  # `write` raises without one
    formula = "p = softmax(z·{}{}{})".format(
        "" if model.head.scale == 1.0 else "d^(−½)·",
        "Eᵀ" if model.head.output is None else "W_output",
        "" if model.head.bias is None else " + b",
    )
    last, words = _likeliest(scores, "next", rows, {"z": output(seen, "decoder")}, formula=formula)
    return {
        "steps": (*steps, last),
        "written": tuple(names(written)),
        "text_written": tokenizer.decode(written[len(ids) if decoder is None else 0 :], skip_special_tokens=True),
        "cut": text.unfinished == "limit",
        "words": dict(zip(words, names(words), strict=True)),
    }
