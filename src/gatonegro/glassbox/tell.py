"""`explain`: a text through a model, step by step."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatonegro.errors import InputError, OptionError
from gatonegro.glassbox.attribution import attribute
from gatonegro.glassbox.explanation import Explanation, Step
from gatonegro.glassbox.record import Record, only, stack_steps, step
from gatonegro.glassbox.toy import toy
from gatonegro.language import TAG, diagnose, guess, is_pipeline, other, targets
from gatonegro.models import LanguageModel, Model, head_of, load
from gatonegro.nn.loss import FUNCTIONS
from gatonegro.nn.watch import watch
from gatonegro.packing import Packed, pack
from gatonegro.tokenization import AutoTokenizer, Tokenizer
from gatonegro.wording import Pair, both, language

DEFAULT = "sentiment-es-en"
ATTRIBUTED = 128  # tokens, up to which it is told which words made the decision: that takes as long as 200 answers
LIKELIEST = 5  # words of the vocabulary that are shown at each place


def explain(
    text: str,
    model: Any = None,
    *,
    tokenizer: Tokenizer | None = None,
    lang: str | None = None,
    max_new_tokens: int = 32,
    revision: str | None = None,
    local_files_only: bool = False,
) -> Explanation:
    """Every step from a text to an answer, with its words, its formula and the real numbers.

    Args:
        text: what is read. Longer than the model can read, it is cut there, and that is said.
        model: a folder, a built-in's short name, a name on the hub, a pipeline, a model with its `tokenizer`, or "toy",
            the course's worked example; by default the built-in sentiment model.
        lang: "es" or "en", in which it is told; by default the user's language.
        max_new_tokens: how much a model that writes may write.

    A faster twin is explained from its source, and that is said.

    Raises:
        InputError: what is no text, or holds none.
        OptionError: a language that it cannot be told in.

    >>> explain("El gato negro", model="toy")["linear"].tensors["Q"][0]  # (h, t, d), the course's W for all three
    array([[2., 1., 2.], [4., 2., 4.], [6., 3., 6.]])
    """
    lang = language() if lang is None else lang
    if lang not in ("es", "en"):
        raise OptionError(
            both(f"lang must be 'es' or 'en', not {lang!r:.40}.", f"lang debe ser 'es' o 'en', no {lang!r:.40}.")
        )
    if not isinstance(text, str):
        kind = type(text).__name__
        raise InputError(
            both(f"{kind} where a text is wanted; pass a str.", f"{kind} donde hace falta un texto; pasa un str.")
        )
    if model == "toy":
        return toy(text, lang)
    notes: list[Pair] = []
    fit = None
    if is_pipeline(model):
        fit = diagnose(text, model)
        model, tokenizer = model.model, model.tokenizer
    if model is None or isinstance(model, str | Path):
        name: str | Path = DEFAULT if model is None else model
        where: dict[str, Any] = {"revision": revision, "local_files_only": local_files_only}
        model = load(name, head_of(name, **where) or "none", **where)
        tokenizer = AutoTokenizer.from_pretrained(name, **where) if tokenizer is None else tokenizer
        fit = diagnose(text, str(name)) if revision is None else None
    if not isinstance(model, Model) or tokenizer is None:
        raise InputError(
            both(
                "model must be a name, a folder, a pipeline, or a model with tokenizer=.",
                "model debe ser un nombre, una carpeta, un pipeline, o un modelo con tokenizer=.",
            )
        )
    if model.precision:
        notes.append((
            f"This is the model itself, in {model.source.dtype}; its {model.precision} twin computes nearly the same.",
            f"Este es el modelo mismo, en {model.source.dtype}; su gemelo en {model.precision} calcula casi lo mismo.",
        ))  # fmt: skip
    model = model.source
    ids = _ids(_tagged(text, model, tokenizer, notes), model, tokenizer, notes)
    training = model.training
    try:
        with torch.no_grad():
            story = _written if isinstance(model, LanguageModel) else _read
            found, answer, written = story(model.eval(), tokenizer, ids, lang, max_new_tokens)
    finally:
        model.train(training)
    tokens = tuple(tokenizer.convert_ids_to_tokens(ids))
    named = sorted(
        {i for one in found if "likeliest" in one.tensors for i in one.tensors["likeliest"].flatten().tolist()}
    )
    labels = model.task_head == "token-classification"
    called = [model.config.id2label[i] for i in named] if labels else tokenizer.convert_ids_to_tokens(named)
    words = dict(zip(named, called, strict=True))
    name = str(model.name_or_path)
    return Explanation(text, name, lang, tokens, tuple(found), answer, written, tuple(notes), fit, words)


def _tagged(text: str, model: Model, tokenizer: Tokenizer, notes: list[Pair]) -> str:
    """For a translator of several languages, the text with a tag that asks for one in which it is not."""
    known = targets(tokenizer, model.config)
    if not known or text.lstrip().startswith(tuple(map(TAG.format, known))):
        return text
    to = TAG.format(other(known, guess(text) or known[0]))
    notes.append((
        f"{to} stands in front of the text: it asks the model for that language. Write another tag to ask for another.",
        f"{to} va delante del texto: pide al modelo ese idioma. Escribe otra etiqueta para pedir otro.",
    ))  # fmt: skip
    return f"{to} {text}"


def _ids(text: str, model: Model, tokenizer: Tokenizer, notes: list[Pair]) -> list[int]:
    """The tokens of the text, as many as the model can read."""
    limit = min(model.config.max_tokens, tokenizer.model_max_length)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the text is long is said here
        ids: list[int] = tokenizer(text)["input_ids"]
        if len(ids) > limit:
            notes.append((
                f"The text has {len(ids)} tokens, and the model reads {limit}: what follows is not explained.",
                f"El texto tiene {len(ids)} tokens, y el modelo lee {limit}: lo que sigue no se explica.",
            ))  # fmt: skip
            ids = tokenizer(text, truncation=True, max_length=limit)["input_ids"]
    if not ids:
        raise InputError(
            both(
                "the text has no token; there is nothing to explain.",
                "el texto no tiene tokens: no hay nada que explicar.",
            )
        )
    return ids


Told = tuple[list[Step], tuple[tuple[str, float], ...], tuple[str, ...]]


def _vectorization(part: Any, seen: Record, name: str, packed: Packed, lang: str, tokens: Tensor | None = None) -> Step:
    tensors: dict[str, Tensor | None] = {
        "ids": packed.ids,
        "tokens": only(seen, f"{name}.tokens") if f"{name}.tokens" in seen else tokens,
        "positions": only(seen, f"{name}.positions") if f"{name}.positions" in seen else None,
        "segment": None if part.segments is None else part.segments.weight[0],
        "x": only(seen, name),
    }
    formula = "x = E[id]" if part.positions is None else "x = E[id] + P[position]"
    formula += "" if part.segments is None else " + S[segment]"
    formula = formula if part.norm is None else formula.replace("x = ", "x = norm(") + ")"
    where = "" if name == "embeddings" else "decoder."
    return step("vectorization", lang, where, formula=formula, tensors=tensors)


def _read(model: Model, tokenizer: Tokenizer, ids: list[int], lang: str, limit: int) -> Told:
    """An encoder and its head."""
    packed = pack([ids], model.config).to(model.device)
    with watch(model) as seen:
        said = model.run(packed)
    steps = [_vectorization(model.embeddings, seen, "embeddings", packed, lang)]
    steps += stack_steps(model.encoder.layers, seen, only(seen, "embeddings"), "encoder", lang)
    z = only(seen, "encoder")
    answer: tuple[tuple[str, float], ...] = ()
    if model.head is None:
        steps.append(step("vectors", lang, "", tensors={"z": z}))
    elif model.task_head == "masked-lm":
        steps.append(_next(said, z, lang))
    elif model.task_head == "token-classification":
        steps.append(_next(said, z, lang, "tokens"))
    else:
        inner = {part: only(seen, f"head.{part}") for part in ("dense", "activation") if f"head.{part}" in seen}
        tensors = {"z_0": z[0], **inner, "logits": said[0]}
        if model.task_head == "sequence-classification":
            shares = tensors["probs"] = FUNCTIONS[model.config.scored_by](said[0])
            names = model.config.id2label.values()
            answer = tuple(sorted(zip(names, shares.tolist(), strict=True), key=lambda pair: -pair[1]))
            best = int(shares.argmax())
        steps.append(step("head", lang, "", tensors=tensors, weights={
            f"{part}.{name}": x for part, module in model.head.named_children() for name, x in module.named_parameters()
        }))  # fmt: skip
        if answer and len(ids) <= ATTRIBUTED:
            shares, rise = attribute(model, ids, best, set(tokenizer.all_special_ids))
            tensors = {"attribution": shares, "sum": shares.sum(), "rise": torch.tensor(rise)}
            steps.append(step("attribution", lang, "", tensors=tensors))
    return steps, answer, ()


def _next(scores: Tensor, z: Tensor, lang: str, kind: str = "next") -> Step:
    """The likeliest words, or labels, at each place. scores: (t, vocab) or (t, labels)"""
    shares, ids = scores.softmax(-1).topk(min(LIKELIEST, scores.shape[-1]))
    return step(kind, lang, "", tensors={"z": z, "likeliest": ids, "probs": shares, "sum": scores.logsumexp(-1)})


def _written(model: LanguageModel, tokenizer: Tokenizer, ids: list[int], lang: str, limit: int) -> Told:
    """What an encoder–decoder writes, or a decoder alone goes on with; then one pass over all of it, in which a word
    sees what it saw when it was written."""
    own = model.config.decoder
    config = model.generation_config.with_options({"num_beams": 1, "max_new_tokens": limit, "num_return_sequences": 1})
    steps: list[Step] = []
    if own is None:
        ((one,),) = model.write(None, [ids], config)
        packed = pack([one.ids[:-1] or one.ids], model.config).to(model.device)
        with watch(model) as seen:
            scores = model.run(packed)
        steps.append(_vectorization(model.embeddings, seen, "embeddings", packed, lang))
        x = only(seen, "embeddings")
    else:
        ((one,),) = model.write([ids], options=config)
        read = pack([ids], model.config).to(model.device)
        packed = pack([one.ids[:-1]], own).to(model.device)
        with watch(model) as seen:
            scores = model.run(read, written=packed)
        steps.append(_vectorization(model.embeddings, seen, "embeddings", read, lang))
        steps += stack_steps(model.encoder.layers, seen, only(seen, "embeddings"), "encoder", lang)
        vectors = model.embeddings.tokens(packed.ids)
        steps.append(_vectorization(model.decoder_embeddings, seen, "decoder_embeddings", packed, lang, vectors))
        x = only(seen, "decoder_embeddings")
    steps += stack_steps(model.decoder.layers, seen, x, "decoder", lang)
    steps.append(_next(scores, only(seen, "decoder"), lang))
    return steps, (), tuple(tokenizer.convert_ids_to_tokens(one.ids))
