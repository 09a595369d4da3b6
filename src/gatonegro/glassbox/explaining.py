"""`explain`: a text through a model, step by step."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatonegro.checks import check_text, one_of
from gatonegro.errors import CheckpointError, InputError, OptionError
from gatonegro.glassbox.attribution import attribute
from gatonegro.glassbox.diagnosing import resolve
from gatonegro.glassbox.explanation import Explanation
from gatonegro.glassbox.recording import Activations, Rows, output, stack_steps, step
from gatonegro.glassbox.steps import Step
from gatonegro.glassbox.toy import toy
from gatonegro.hub import locate
from gatonegro.i18n import Message, catalog, language
from gatonegro.language import TAG, Languages, diagnosis_of, guess, languages_of, other, targets
from gatonegro.models import LanguageModel, Model, head_of, load, share
from gatonegro.nn.loss import FUNCTIONS
from gatonegro.nn.watch import watch
from gatonegro.packing import Packed, pack
from gatonegro.pipelines import Pipeline
from gatonegro.tasks.generating import prefix_of
from gatonegro.tasks.prepare import Change, change_of, changed
from gatonegro.tokenization import AutoTokenizer, Tokenizer

ATTRIBUTED = 128  # longest text to attribute, in tokens; attribution costs about 200 forward passes
LONG_NOTE = 300  # characters of a text in a note
LIKELIEST = 5  # words of the vocabulary to show at each place
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
        text: what is read, one text. Longer than the model can read, it is cut there, and that is said; a pipeline
            would read the rest too, in windows.
        model: a folder, a built-in's short name, a name on the hub, a pipeline, a model with its `tokenizer`, or "toy",
            the course's worked example; by default the built-in sentiment model.
        lang: "es" or "en", in which it is told; by default the user's language.
        max_new_tokens: how much a model that writes may write.

    What is explained is the model itself. A pipeline answers with a faster twin, int8 say, whose scores may differ in
    the second digit; one that is given is explained from its source, and that is said.

    Raises:
        InputError: what is no text, or holds no token; a tokenizer of another model.
        OptionError: a language that it cannot be told in, or that the model does not write.
        CheckpointError: the model's answer is NaN. MissingHeadError: a decoder has no head that writes.

    >>> explain("El gato negro", model="toy")["linear"].tensors["Q"][0]  # (h, t, d), the course's W for all three
    array([[2., 1., 2.], [4., 2., 4.], [6., 3., 6.]])
    """
    lang = language() if lang is None else lang
    one_of("es", "en")("lang", lang)
    check_text(text)
    if model == "toy":
        return toy(text, lang)
    subject = _subject(model, tokenizer, {"revision": revision, "local_files_only": local_files_only})
    own = share(subject.model.source, trainable=False).eval()  # the user's object keeps its mode
    prompt = _prompt(text, own, subject, max_new_tokens)
    writes = isinstance(own, LanguageModel)
    with torch.no_grad():
        trace = (_written(own, subject.tokenizer, prompt.ids, max_new_tokens) if isinstance(own, LanguageModel)
                 else _read(own, subject.tokenizer, prompt.ids))  # fmt: skip
    name, found = str(subject.model.name_or_path), trace.pop("steps")
    cut, answered = trace.pop("cut", False), "answer" in trace
    notes = _notes(text, prompt, subject.model.precision, max_new_tokens if cut else 0, answered)
    return Explanation(
        text, name, lang, tuple(subject.tokenizer.convert_ids_to_tokens(prompt.ids)),
        tuple(replace(one, lang=lang) for one in found), notes=notes,
        diagnosis=diagnosis_of(text, name, subject.tokenizer, subject.languages, writes), **trace,
    )  # fmt: skip


@dataclass(frozen=True)
class _Subject:
    """What a text is given to."""

    model: Model
    tokenizer: Tokenizer
    languages: Languages
    change: Change | None  # what is done to a text before it is read
    task: str = ""


def _subject(model: Any, tokenizer: Tokenizer | None, where: Mapping[str, Any]) -> _Subject:
    found = resolve(model)
    if isinstance(found, Pipeline):
        return _Subject(found.model, found.tokenizer, found.languages, found.change, found.task)
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
    return _Subject(model, tokenizer, languages, change_of(model, tokenizer, "auto"))


class _Prompt(NamedTuple):
    """A text as a pipeline would give it to the model."""

    read: str  # the text, prepared
    tag: str  # what asks for a language; empty where the text says it, or the model knows none
    ids: list[int]  # as many as the model can read
    length: int  # tokens of all of it


def _prompt(text: str, model: Model, subject: _Subject, new: int) -> _Prompt:
    """Prepare a text, and put the words or the tag in front of it that ask for a task or a language."""
    tokenizer, change = subject.tokenizer, subject.change
    read = text if change is None else changed(text, change)
    known = targets(tokenizer, model.config)
    asked = re.match(r"\s*>>([^<>\s]{1,31})<<", read)
    if known and asked and asked[1] not in known:
        tags = ", ".join(map(TAG.format, known))
        raise OptionError(
            f"the model has no {asked[0].strip()}; it knows {tags}.",
            f"el modelo no tiene {asked[0].strip()}; conoce {tags}.",
        )
    front, tag = prefix_of(model.config, subject.task), ""
    if known and not asked:
        tag = TAG.format(other(known, guess(read) or known[0]))
        front += tag + " "
    limit = min(model.config.max_tokens, tokenizer.model_max_length)
    if isinstance(model, LanguageModel) and model.config.decoder is None:
        limit -= max(1, min(new, limit // 2))  # room for what it writes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the text is long is said here
        every: list[int] = tokenizer(front + read)["input_ids"]
        ids = tokenizer(front + read, truncation=True, max_length=limit)["input_ids"] if len(every) > limit else every
    _check_ids(ids, model.config.vocab_size)
    return _Prompt(read, tag, ids, len(every))


def _notes(text: str, prompt: _Prompt, precision: str, cut: int, answered: bool) -> tuple[Message, ...]:
    """Return what is to be said of the whole, in order.

    Args:
        cut: the number of tokens after which what is written was cut; 0 if it was not.
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
    return tuple(NOTES[name].format(**values) for name, said in conditions.items() if said)


def _check_ids(ids: Sequence[int], vocab_size: int) -> None:
    if not ids:
        raise InputError(
            "the text has no token; there is nothing to explain.", "el texto no tiene tokens: no hay nada que explicar."
        )
    if (largest := max(ids)) >= vocab_size:
        known = vocab_size - 1
        raise InputError(
            f"the text has the token id {largest}, and the model's vocabulary is 0 … {known}: "
            "tokenizer and model belong to different models; pass the model's own.",
            f"el texto tiene el token {largest}, y el vocabulario del modelo es 0 … {known}: "
            "tokenizador y modelo son de modelos distintos; pasa el del modelo.",
        )


def _check_finite(x: Tensor) -> None:
    if not x.isfinite().all():
        raise CheckpointError(
            "the model's answer is no number (NaN): its weights are too large, or broken. Take another checkpoint.",
            "la respuesta del modelo no es un número (NaN): sus pesos son demasiado grandes o están rotos. Usa otro "
            "checkpoint.",
        )


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
    """Run an encoder and its head; return `steps`, and what else there is of an Explanation."""
    packed, names = pack([ids], model.config).to(model.device), tokenizer.convert_ids_to_tokens(ids)
    with watch(model) as seen:
        said = model.run(packed)
    _check_finite(said)
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
        last, words = _likeliest(said, kind, rows, {"z": z, **inner}, variant, weights=weights)
        labels = model.config.id2label
        called = tokenizer.convert_ids_to_tokens(words) if masked else [labels[i] for i in words]
        return {"steps": (*steps, last), "words": dict(zip(words, called, strict=True))}
    shares = FUNCTIONS[model.config.scored_by](said[0])
    tensors = {"z_0": z[0], **{part: x[0] for part, x in inner.items()}, "logits": said[0], "probs": shares}
    variant = {"softmax": ""}.get(model.config.scored_by, f"{model.config.scored_by}_head")
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
    """Return the step of the likeliest words or labels per place, and which these are. scores: (t, words or labels)"""
    shares, ids = scores.softmax(-1).topk(min(LIKELIEST, scores.shape[-1]))
    found = {**tensors, "likeliest": ids, "probs": shares, "sum": scores.logsumexp(-1)}
    last = step(kind, variant=variant, tensors=found, rows=rows.own, columns=rows.written, **more)
    return last, sorted(set(ids.flatten().tolist()))


def _written(model: LanguageModel, tokenizer: Tokenizer, ids: list[int], new: int) -> dict[str, Any]:
    """Let an encoder–decoder write, or a decoder alone go on, the likeliest word each time; then run it once over all
    of that, in which a word sees what it saw when it was written."""
    own = model.config.decoder
    config = model.generation_config.with_options(
        {"num_beams": 1, "do_sample": False, "max_new_tokens": new, "num_return_sequences": 1}
    )
    names = tokenizer.convert_ids_to_tokens
    steps: list[Step] = []
    if own is None:
        ((one,),) = model.write(None, [ids], config)
        written = one.ids
        packed = pack([written[:-1] or written], model.config).to(model.device)
        with watch(model) as seen:
            scores = model.run(packed)
        rows = Rows(tuple(names(written[:-1] or written)), tuple(names(written))[1:])
        steps.append(_vectorization(model.embeddings, seen, "embeddings", packed, rows.own))
        x = output(seen, "embeddings")
    else:
        ((one,),) = model.write([ids], options=config)
        written = one.ids
        read = pack([ids], model.config).to(model.device)
        packed = pack([written[:-1]], own).to(model.device)
        with watch(model) as seen:
            scores = model.run(read, written=packed)
        source = Rows(tuple(names(ids)))
        steps.append(_vectorization(model.embeddings, seen, "embeddings", read, source.own))
        steps += stack_steps(model.encoder, seen, output(seen, "embeddings"), "encoder", source)
        vectors = model.embeddings.tokens(packed.ids)
        rows = Rows(tuple(names(written[:-1])), tuple(names(written))[1:], source.own, output(seen, "encoder"))
        steps.append(_vectorization(model.decoder_embeddings, seen, "decoder_embeddings", packed, rows.own, vectors))
        x = output(seen, "decoder_embeddings")
    steps += stack_steps(model.decoder, seen, x, "decoder", rows)
    _check_finite(scores)
    assert model.head is not None  # or it had not written
    formula = "p = softmax(z·{}{}{})".format(
        "" if model.head.scale == 1.0 else "d^(−½)·",
        "Eᵀ" if model.head.output is None else "W_output",
        "" if model.head.bias is None else " + b",
    )
    last, words = _likeliest(scores, "next", rows, {"z": output(seen, "decoder")}, formula=formula)
    text = tokenizer.decode(written if own is not None else written[len(ids) :], skip_special_tokens=True)
    return {
        "steps": (*steps, last),
        "written": tuple(names(written)),
        "text_written": text,
        "cut": one.unfinished == "limit",
        "words": dict(zip(words, names(words), strict=True)),
    }
