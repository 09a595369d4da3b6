"""`explain`: a text through a model, step by step."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatonegro.errors import CheckpointError, InputError, OptionError
from gatonegro.glassbox.attribution import attribute
from gatonegro.glassbox.explanation import Explanation, Step
from gatonegro.glassbox.record import Record, Rows, only, stack_steps, step
from gatonegro.glassbox.toy import toy
from gatonegro.hub import locate
from gatonegro.i18n import Pair, language
from gatonegro.language import TAG, diagnosis_of, guess, languages_of, other, targets
from gatonegro.language.diagnosis import DEFAULT
from gatonegro.models import LanguageModel, Model, head_of, load, share
from gatonegro.nn.loss import FUNCTIONS
from gatonegro.nn.watch import watch
from gatonegro.packing import Packed, pack
from gatonegro.pipelines.base import Pipeline
from gatonegro.tasks.generating import prefix_of
from gatonegro.tasks.prepare import Change, change_of, changed
from gatonegro.tokenization import AutoTokenizer, Tokenizer

ATTRIBUTED = 128  # tokens, up to which it is told which words made the decision: that takes as long as 200 answers
LONG_NOTE = 300  # characters of a text in a note
LIKELIEST = 5  # words of the vocabulary that are shown at each place


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
    """Every step from a text to an answer, with its words, its formula and the real numbers.

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
        CheckpointError: the model's answer is no number. MissingHeadError: a decoder has no head that writes.

    >>> explain("El gato negro", model="toy")["linear"].tensors["Q"][0]  # (h, t, d), the course's W for all three
    array([[2., 1., 2.], [4., 2., 4.], [6., 3., 6.]])
    """
    lang = language() if lang is None else lang
    if lang not in ("es", "en"):
        raise OptionError(
            f"lang must be 'es' or 'en', not {lang!r:.40}.", f"lang debe ser 'es' o 'en', no {lang!r:.40}."
        )
    if not isinstance(text, str):
        kind = type(text).__name__
        raise InputError(
            f"{kind} where a text is wanted; pass a str.", f"{kind} donde hace falta un texto; pasa un str."
        )
    if model == "toy":
        return toy(text, lang)
    change: Change | None = None
    languages, task = None, ""
    where: dict[str, Any] = {"revision": revision, "local_files_only": local_files_only}
    if isinstance(model, Pipeline):
        languages, task, change = model.languages, model.task, model.change
        model, tokenizer = model.model, model.tokenizer
    elif model is None or isinstance(model, str | Path):
        name: str | Path = DEFAULT if model is None else model
        model = load(name, head_of(name, **where) or "none", **where)
        tokenizer = AutoTokenizer.from_pretrained(name, **where) if tokenizer is None else tokenizer
        languages = languages_of(tokenizer, model.config.extra, locate(name, **where))
    if not isinstance(model, Model) or not isinstance(tokenizer, Tokenizer):
        raise InputError(
            "model must be a name, a folder, a pipeline, or a model with tokenizer=.",
            "model debe ser un nombre, una carpeta, un pipeline, o un modelo con tokenizer=.",
        )
    if languages is None:
        languages = languages_of(tokenizer, model.config.extra, tokenizer.name_or_path or None)
    if not task:
        change = change_of(model, tokenizer, "auto")
    notes: list[Pair] = []
    if not text.strip():
        notes.append((
            "The text is blank: what follows is what the model makes of its special tokens alone.",
            "El texto está en blanco: lo que sigue es lo que el modelo hace solo con sus tokens especiales.",
        ))  # fmt: skip
    if model.precision:
        notes.append((
            f"This is the model itself; its {model.precision} twin, which answers faster, computes nearly the same.",
            f"Este es el modelo mismo; su gemelo en {model.precision}, que responde antes, calcula casi lo mismo.",
        ))  # fmt: skip
    own = share(model.source, trainable=False).eval()  # the user's object keeps its mode
    ids = _ids(_as_read(text, own, tokenizer, change, task, notes), own, tokenizer, max_new_tokens, notes)
    with torch.no_grad():
        told = (
            _written(own, tokenizer, ids, lang, max_new_tokens)
            if isinstance(own, LanguageModel)
            else _read(own, tokenizer, ids, lang)
        )
    name = str(model.name_or_path)
    fit = diagnosis_of(text, name, tokenizer, languages, isinstance(own, LanguageModel))
    tokens = tuple(tokenizer.convert_ids_to_tokens(ids))
    if told.pop("cut", False):
        notes.append((
            f"What is written was cut after {max_new_tokens} tokens; pass a larger max_new_tokens=.",
            f"Lo que se escribe se cortó tras {max_new_tokens} tokens; pasa un max_new_tokens= mayor.",
        ))  # fmt: skip
    if told.get("answer") and len(ids) > ATTRIBUTED:
        notes.append((
            f"With more than {ATTRIBUTED} tokens it is not told which words made the decision.",
            f"Con más de {ATTRIBUTED} tokens no se dice qué palabras decidieron.",
        ))  # fmt: skip
    return Explanation(text, name, lang, tokens, fit=fit, notes=tuple(notes), **told)


def _as_read(text: str, model: Model, tokenizer: Tokenizer, change: Change | None, task: str, notes: list[Pair]) -> str:
    """The text as the model's pipeline would give it to the model: prepared, with the words or the tag in front of it
    that ask for a task or a language."""
    read = text if change is None else changed(text, change)
    front = prefix_of(model.config, task)
    known = targets(tokenizer, model.config)
    asked = re.match(r"\s*>>([^<>\s]{1,31})<<", read)
    if known and asked and asked[1] not in known:
        tags = ", ".join(map(TAG.format, known))
        raise OptionError(
            f"the model has no {asked[0].strip()}; it knows {tags}.",
            f"el modelo no tiene {asked[0].strip()}; conoce {tags}.",
        )
    if known and not asked:
        front += TAG.format(other(known, guess(read) or known[0])) + " "
        notes.append((
            f"{front.strip()} stands in front of the text: it asks the model for that language. Write another tag to "
            "ask for another.",
            f"{front.strip()} va delante del texto: pide al modelo ese idioma. Escribe otra etiqueta para pedir otro.",
        ))  # fmt: skip
    if read != text:
        notes.append((f"The model reads: {read[:LONG_NOTE]}", f"El modelo lee: {read[:LONG_NOTE]}"))
    return front + read


def _ids(text: str, model: Model, tokenizer: Tokenizer, new: int, notes: list[Pair]) -> list[int]:
    """The tokens of the text, as many as the model can read; a decoder alone must have room for what it writes."""
    limit = min(model.config.max_tokens, tokenizer.model_max_length)
    if isinstance(model, LanguageModel) and model.config.decoder is None:
        limit -= max(1, min(new, limit // 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the text is long is said here
        ids: list[int] = tokenizer(text)["input_ids"]
        if len(ids) > limit:
            notes.append((
                f"The text has {len(ids)} tokens, and {limit} are read: what follows is not explained.",
                f"El texto tiene {len(ids)} tokens, y se leen {limit}: lo que sigue no se explica.",
            ))  # fmt: skip
            ids = tokenizer(text, truncation=True, max_length=limit)["input_ids"]
    if not ids:
        raise InputError(
            "the text has no token; there is nothing to explain.", "el texto no tiene tokens: no hay nada que explicar."
        )
    if (largest := max(ids)) > (known := model.config.vocab_size - 1):
        raise InputError(
            f"the text has the token id {largest}, and the model's vocabulary is 0 … {known}: "
            "tokenizer and model belong to different models; pass the model's own.",
            f"el texto tiene el token {largest}, y el vocabulario del modelo es 0 … {known}: "
            "tokenizador y modelo son de modelos distintos; pasa el del modelo.",
        )
    return ids


def _check_finite(x: Tensor) -> None:
    if not x.isfinite().all():
        raise CheckpointError(
            "the model's answer is no number: its weights are too large, or broken. Take another checkpoint.",
            "la respuesta del modelo no es un número: sus pesos son demasiado grandes o están rotos. Usa otro "
            "checkpoint.",
        )


def _vectorization(
    part: Any, seen: Record, name: str, packed: Packed, lang: str, rows: Sequence[str], tokens: Tensor | None = None
) -> Step:
    tensors: dict[str, Tensor | None] = {
        "ids": packed.ids,
        "tokens": only(seen, f"{name}.tokens") if f"{name}.tokens" in seen else tokens,
        "positions": only(seen, f"{name}.positions") if f"{name}.positions" in seen else None,
        "segment": None if part.segments is None else part.segments.weight[0],
        "x": only(seen, name),
    }
    formula = "E[id]" if part.scale == 1.0 else "√d·E[id]"
    formula += "" if part.positions is None else " + P[position]"
    formula += "" if part.segments is None else " + S[segment]"
    formula = f"x = {formula}" if part.norm is None else f"x = norm({formula})"
    where = "" if name == "embeddings" else "decoder."
    told = "relative_vectorization" if part.positions is None else ""
    return step("vectorization", lang, where, formula, told, tensors=tensors, rows=tuple(rows))


def _read(model: Model, tokenizer: Tokenizer, ids: list[int], lang: str) -> dict[str, Any]:
    """An encoder and its head: `steps`, and what else there is of an Explanation."""
    packed, names = pack([ids], model.config).to(model.device), tokenizer.convert_ids_to_tokens(ids)
    with watch(model) as seen:
        said = model.run(packed)
    _check_finite(said)
    rows = Rows(tuple(names))
    steps = [_vectorization(model.embeddings, seen, "embeddings", packed, lang, names)]
    steps += stack_steps(model.encoder, seen, only(seen, "embeddings"), "encoder", lang, rows)
    z, head = only(seen, "encoder"), model.task_head
    inner = {part: only(seen, f"head.{part}") for part in ("dense", "activation", "norm") if f"head.{part}" in seen}
    if head in ("none", "pooler"):
        pooled = {"pooled": inner["activation"]} if inner else {}
        return {"steps": (*steps, step("vectors", lang, tensors={"z": z, **pooled}, rows=rows.own))}
    assert model.head is not None
    weights = {f"{part}.{n}": x for part, module in model.head.named_children() for n, x in module.named_parameters()}
    if head != "sequence-classification":
        masked = head == "masked-lm"
        kind, told = ("next", "masked_next") if masked else ("tokens", "")
        last, words = _likeliest(said, kind, lang, rows, {"z": z, **inner}, told, weights=weights)
        labels = model.config.id2label
        called = tokenizer.convert_ids_to_tokens(words) if masked else [labels[i] for i in words]
        return {"steps": (*steps, last), "words": dict(zip(words, called, strict=True))}
    shares = FUNCTIONS[model.config.scored_by](said[0])
    tensors = {"z_0": z[0], **{part: x[0] for part, x in inner.items()}, "logits": said[0], "probs": shares}
    told = {"softmax": ""}.get(model.config.scored_by, f"{model.config.scored_by}_head")
    steps.append(step("head", lang, told=told, tensors=tensors, weights=weights))
    ranked = sorted(zip(model.config.id2label.values(), shares.tolist(), strict=True), key=lambda pair: -pair[1])
    if len(ids) <= ATTRIBUTED:
        best = int(shares.argmax())
        added, delta = attribute(model, ids, best, set(tokenizer.all_special_ids))
        tensors = {"attribution": added, "sum": added.sum(), "delta": torch.tensor(delta)}
        steps.append(step("attribution", lang, tensors=tensors, rows=rows.own))
    return {"steps": tuple(steps), "answer": tuple(ranked)}


def _likeliest(
    scores: Tensor, kind: str, lang: str, rows: Rows, tensors: Mapping[str, Tensor], told: str = "", **more: Any
) -> tuple[Step, list[int]]:
    """The likeliest words, or labels, at each place, and which these are. scores: (t, vocab) or (t, labels)"""
    shares, ids = scores.softmax(-1).topk(min(LIKELIEST, scores.shape[-1]))
    found = {**tensors, "likeliest": ids, "probs": shares, "sum": scores.logsumexp(-1)}
    last = step(kind, lang, told=told, tensors=found, rows=rows.own, columns=rows.written, **more)
    return last, sorted(set(ids.flatten().tolist()))


def _written(model: LanguageModel, tokenizer: Tokenizer, ids: list[int], lang: str, new: int) -> dict[str, Any]:
    """What an encoder–decoder writes, or a decoder alone goes on with, the likeliest word each time; then one pass over
    all of it, in which a word sees what it saw when it was written."""
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
        steps.append(_vectorization(model.embeddings, seen, "embeddings", packed, lang, rows.own))
        x = only(seen, "embeddings")
    else:
        ((one,),) = model.write([ids], options=config)
        written = one.ids
        read = pack([ids], model.config).to(model.device)
        packed = pack([written[:-1]], own).to(model.device)
        with watch(model) as seen:
            scores = model.run(read, written=packed)
        source = Rows(tuple(names(ids)))
        steps.append(_vectorization(model.embeddings, seen, "embeddings", read, lang, source.own))
        steps += stack_steps(model.encoder, seen, only(seen, "embeddings"), "encoder", lang, source)
        vectors = model.embeddings.tokens(packed.ids)
        rows = Rows(tuple(names(written[:-1])), tuple(names(written))[1:], source.own, only(seen, "encoder"))
        steps.append(
            _vectorization(model.decoder_embeddings, seen, "decoder_embeddings", packed, lang, rows.own, vectors)
        )
        x = only(seen, "decoder_embeddings")
    steps += stack_steps(model.decoder, seen, x, "decoder", lang, rows)
    _check_finite(scores)
    assert model.head is not None  # or it had not written
    formula = "p = softmax(z·{}{}{})".format(
        "" if model.head.scale == 1.0 else "d^(−½)·",
        "Eᵀ" if model.head.output is None else "W_output",
        "" if model.head.bias is None else " + b",
    )
    last, words = _likeliest(scores, "next", lang, rows, {"z": only(seen, "decoder")}, formula=formula)
    text = tokenizer.decode(written if own is not None else written[len(ids) :], skip_special_tokens=True)
    return {
        "steps": (*steps, last),
        "written": tuple(names(written)),
        "text_written": text,
        "cut": one.unfinished == "limit",
        "words": dict(zip(words, names(words), strict=True)),
    }
