"""`explain()`, which records every computation of a model from a text to its answer, with the real numbers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatonegro.checks import check_text, ids_problem, not_finite_error, one_of
from gatonegro.errors import InputError, OptionError
from gatonegro.families.loading import head_of
from gatonegro.glassbox import MESSAGES
from gatonegro.glassbox.attribution import attribute
from gatonegro.glassbox.diagnose import resolve
from gatonegro.glassbox.explanation import Explanation
from gatonegro.glassbox.step_builders import Activations, RowLabels, output_of, stack_steps, step, weights_of
from gatonegro.glassbox.steps import Step
from gatonegro.glassbox.toy import toy
from gatonegro.hub import locate
from gatonegro.i18n import Message, catalog, user_language
from gatonegro.language import (
    LANGUAGE_TAG,
    Languages,
    detect_language,
    languages_of,
    other_language,
    target_languages,
)
from gatonegro.language.diagnosis import diagnosis_of, is_encoder_decoder
from gatonegro.models import LanguageModel, Model, load, shared_copy
from gatonegro.nn.loss import TENSOR_SCORE_FUNCTIONS
from gatonegro.nn.recording import record_activations
from gatonegro.packing import Packed, pack
from gatonegro.pipelines import Pipeline
from gatonegro.preprocessing.transform import TextTransform, apply, resolve_transform
from gatonegro.tasks.generation import task_prefix
from gatonegro.tokenization import AutoTokenizer, Tokenizer

MAX_ATTRIBUTED_TOKENS = 128  # attribution of longer texts is skipped; it costs two forward passes per word
MAX_QUOTED_CHARS = 300  # characters of the text in a note
N_LIKELIEST = 5  # words or labels to show per token
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
    """Explain every computation of a model from a text to its answer, with captions, formulas and real numbers.

    For an optimized model, such as a pipeline's, the original weights are explained, with a note; in int8, for example,
    scores may differ in the second digit.

    Args:
        text: one text. If it is too long for the model, it is truncated, with a note; a pipeline would read the rest
            in windows.
        model: a folder, a built-in's short name, a name on the hub, a pipeline, a model with its `tokenizer`, or "toy",
            the course's worked example; default: the built-in sentiment model.
        tokenizer: the tokenizer of a model object.
        lang: "es" or "en", the language of the explanation; default: the user's.
        max_new_tokens: largest number of tokens to generate.
        revision: branch, tag or commit on the hub.
        local_files_only: never use the network.

    Raises:
        InputError: the text is invalid or has no tokens, or the tokenizer belongs to another model.
        OptionError: `lang` is not "es" or "en", or the text requests a language that the model lacks.
        CheckpointError: the model's answer is NaN or infinite.
        MissingHeadError: a decoder has no language-model head.
        HubError: the model cannot be found or downloaded.

    >>> explain("El gato negro", model="toy")["linear"].tensors["Q"][0]  # (h, t, d), the course's W for all three
    array([[2., 1., 2.], [4., 2., 4.], [6., 3., 6.]])
    """
    lang = user_language() if lang is None else lang
    one_of("es", "en")("lang", lang)
    check_text(text)
    if isinstance(model, str) and model == "toy":
        return toy(text, lang)
    subject = _subject(model, tokenizer, {"revision": revision, "local_files_only": local_files_only})
    source = shared_copy(subject.model.source, trainable=False).eval()  # the user's object stays in its mode
    prompt = _prompt(text, source, subject, max_new_tokens)
    with torch.no_grad():
        if isinstance(source, LanguageModel):
            fields = _generation_fields(source, subject.tokenizer, prompt.ids, max_new_tokens)
        else:
            fields = _encoder_fields(source, subject.tokenizer, prompt)
    name, cut = str(subject.model.name_or_path), fields.pop("cut", False)
    steps = tuple(replace(each, lang=lang) for each in fields.pop("steps"))
    notes = _notes(text, prompt, subject.model.precision, max_new_tokens if cut else 0, "answer" in fields)
    diagnosis = diagnosis_of(text, name, subject.tokenizer, subject.languages, is_encoder_decoder(source.config))
    tokens = _names(subject.tokenizer, prompt.ids)
    return Explanation(text, name, lang, tokens, steps, notes=notes, diagnosis=diagnosis, **fields)


def _names(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[str, ...]:
    """Return the tokens of ids, with "#7" for one that the model has and its tokenizer has not."""
    return tuple(tokenizer.convert_ids_to_tokens(i) or f"#{i}" for i in ids)


@dataclass(frozen=True)
class _Subject:
    """Model to be explained, with its tokenizer, languages and text preprocessing."""

    model: Model
    tokenizer: Tokenizer
    languages: Languages
    preprocess: TextTransform | None
    task: str = ""


def _subject(model: Any, tokenizer: Tokenizer | None, source_options: Mapping[str, Any]) -> _Subject:
    resolved = resolve(model)
    if isinstance(resolved, Pipeline):
        return _Subject(resolved.model, resolved.tokenizer, resolved.languages, resolved.preprocess, resolved.task)
    if isinstance(resolved, str):
        model = load(resolved, head_of(resolved, **source_options) or "none", **source_options)
        tokenizer = AutoTokenizer.from_pretrained(resolved, **source_options) if tokenizer is None else tokenizer
    if not isinstance(model, Model) or not isinstance(tokenizer, Tokenizer):
        raise InputError(*MESSAGES["no_model"])
    source = locate(resolved, **source_options) if isinstance(resolved, str) else tokenizer.name_or_path or None
    languages = languages_of(tokenizer, model.config.extra, source)
    preprocess = resolve_transform("auto", model.name_or_path, model.config.extra, tokenizer.get_vocab)
    return _Subject(model, tokenizer, languages, preprocess)


class _Prompt(NamedTuple):
    """Text that is preprocessed and tokenized as a pipeline would pass it to the model."""

    text: str  # preprocessed
    tag: str  # the language tag that was added in front; "" if the text has one, or the model has none
    ids: list[int]  # truncated to the model's length
    length: int  # tokens before truncation
    offsets: list[tuple[int, int]]  # of each token, in the text with its prefix


def _prompt(text: str, model: Model, subject: _Subject, max_new_tokens: int) -> _Prompt:
    """Preprocess a text, prepend the task prefix or language tag that the model expects, and tokenize it."""
    tokenizer, preprocess = subject.tokenizer, subject.preprocess
    text = text if preprocess is None else apply(text, preprocess)
    languages = target_languages(tokenizer, model.config)
    text_tag = re.match(r"\s*>>([^<>\s]{1,31})<<", text)
    if languages and text_tag and text_tag[1] not in languages:
        tags = ", ".join(map(LANGUAGE_TAG.format, languages))
        raise OptionError(*MESSAGES["no_tag"].format(tag=text_tag[0].strip(), tags=tags))
    prefix, tag = task_prefix(model.config, subject.task), ""
    if languages and not text_tag:
        tag = LANGUAGE_TAG.format(other_language(languages, detect_language(text) or languages[0]))
        prefix += tag + " "
    limit = min(model.config.max_tokens, tokenizer.model_max_length)
    if isinstance(model, LanguageModel) and model.config.decoder is None:
        limit -= max(1, min(max_new_tokens, limit // 2))  # leaves space for the generated tokens
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a note says that the text is long
        batch = tokenizer(prefix + text, return_offsets_mapping=True)
        length = len(batch["input_ids"])
        if length > limit:
            batch = tokenizer(prefix + text, truncation=True, max_length=limit, return_offsets_mapping=True)
    ids: list[int] = batch["input_ids"]
    if problem := ids_problem(ids, model.config.vocab_size):
        raise InputError(f"the text {problem.en}", f"el texto {problem.es}")
    return _Prompt(text, tag, ids, length, batch["offset_mapping"])


def _notes(text: str, prompt: _Prompt, precision: str, cut: int, answered: bool) -> tuple[Message, ...]:
    """Return the notes to show with an explanation, such as that its text was truncated.

    `cut` is the number of tokens after which the generated text was cut, 0 if it ended by itself; `answered` is True
    for a classifier, whose answer is attributed to words.
    """
    tokens = len(prompt.ids)
    conditions = {
        "blank": not text.strip(),
        "optimized": precision,
        "tag": prompt.tag,
        "changed": prompt.text != text,
        "long": prompt.length > tokens,
        "cut": cut,
        "unattributed": answered and tokens > MAX_ATTRIBUTED_TOKENS,
    }
    values = {"precision": precision, "tag": prompt.tag, "read": prompt.text[:MAX_QUOTED_CHARS], "limit": tokens,
              "length": prompt.length, "max_new_tokens": cut, "attributed": MAX_ATTRIBUTED_TOKENS}  # fmt: skip
    return tuple(NOTES[name].format(**values) for name, applies in conditions.items() if applies)


def _vectorization(
    part: Any, trace: Activations, name: str, packed: Packed, rows: Sequence[str], tokens: Tensor | None = None
) -> Step:
    inner = {p: output_of(trace, f"{name}.{p}") for p in ("tokens", "positions") if f"{name}.{p}" in trace}
    segment = None if part.token_types is None else part.token_types.weight[0]
    tensors = {"ids": packed.ids, "tokens": tokens, **inner, "segment": segment, "x": output_of(trace, name)}
    formula = "E[id]" if part.scale == 1.0 else "√d·E[id]"
    formula += "" if part.positions is None else " + P[position]"
    formula += "" if part.token_types is None else " + S[segment]"
    formula = f"x = {formula}" if part.norm is None else f"x = norm({formula})"
    prefix = "" if name == "embeddings" else "decoder."
    variant = "relative_vectorization" if part.positions is None else ""
    return step("vectorization", prefix, formula, variant, tensors=tensors, rows=tuple(rows))


def _encoder_fields(model: Model, tokenizer: Tokenizer, prompt: _Prompt) -> dict[str, Any]:
    """Run an encoder and its head on token ids, and return the fields of an `Explanation`."""
    ids = prompt.ids
    packed, names = pack([ids], model.config).to(model.device), _names(tokenizer, ids)
    with record_activations(model) as trace:
        result = model.run(packed)
    if not result.isfinite().all():
        raise not_finite_error(model.dtype)
    labels = RowLabels(names)
    steps = [_vectorization(model.embeddings, trace, "embeddings", packed, names)]
    steps += stack_steps(model.encoder, trace, output_of(trace, "embeddings"), "encoder", labels)
    z, head = output_of(trace, "encoder"), model.task_head
    inner = {p: output_of(trace, f"head.{p}") for p in ("dense", "activation", "norm") if f"head.{p}" in trace}
    if head in ("none", "pooler"):
        pooled = {"pooled": inner["activation"]} if inner else {}
        return {"steps": (*steps, step("vectors", tensors={"z": z, **pooled}, rows=labels.tokens))}
    assert model.head is not None
    weights = weights_of(dict(model.head.named_children()))
    if head != "sequence-classification":
        masked = head == "masked-lm"
        kind, variant = ("next", "masked_next") if masked else ("tokens", "")
        last, words = _likeliest(result, kind, labels, {"z": z, **inner}, variant, weights=weights)
        shown = _names(tokenizer, words) if masked else [model.config.id2label[i] for i in words]
        return {"steps": (*steps, last), "words": dict(zip(words, shown, strict=True))}
    probs = TENSOR_SCORE_FUNCTIONS[model.config.score_function](result[0])
    tensors = {"z_1": z[0], **{part: x[0] for part, x in inner.items()}, "logits": result[0], "probs": probs}
    variant = {"softmax": ""}.get(model.config.score_function, f"{model.config.score_function}_head")
    steps.append(step("head", variant=variant, tensors=tensors, weights=weights))
    ranked = sorted(zip(model.config.id2label.values(), probs.tolist(), strict=True), key=lambda pair: -pair[1])
    if len(ids) <= MAX_ATTRIBUTED_TOKENS:
        found = attribute(model, prompt.text, ids, prompt.offsets, {*tokenizer.all_special_ids}, int(probs.argmax()))
        tensors = {
            "attribution": torch.tensor(found.values, dtype=torch.float32),
            "spans": torch.tensor(found.spans, dtype=torch.long).reshape(-1, 2),
            "punctuation": torch.tensor(found.punctuation),
            "start": torch.tensor(found.start),
            "sum": torch.tensor(float(found.values.sum()) + found.punctuation),
            "delta": torch.tensor(found.odds - found.start),
        }
        variant = "none_attribution" if model.config.score_function == "none" else ""
        notes = () if variant or found.is_clear else (NOTES["unclear"],)  # a number that is predicted is no decision
        steps.append(step("attribution", variant=variant, tensors=tensors, rows=tuple(found.words), notes=notes))
    return {"steps": tuple(steps), "answer": tuple(ranked)}


def _likeliest(
    logits: Tensor, kind: str, labels: RowLabels, tensors: Mapping[str, Tensor], variant: str = "", **more: Any
) -> tuple[Step, list[int]]:
    """Return an explanation step with the likeliest words or labels for each token, and the ids of all of them."""
    probs, ids = logits.softmax(-1).topk(min(N_LIKELIEST, logits.shape[-1]))  # logits (t, words or labels)
    tensors = {**tensors, "likeliest": ids, "probs": probs, "sum": logits.logsumexp(-1)}
    last = step(kind, variant=variant, tensors=tensors, rows=labels.tokens, columns=labels.next_tokens, **more)
    return last, sorted(set(ids.flatten().tolist()))


def _generation_fields(model: LanguageModel, tokenizer: Tokenizer, ids: list[int], max_new: int) -> dict[str, Any]:
    """Generate text greedily, record a forward pass over it, and return the fields of an `Explanation`.

    In that pass every token attends to the same tokens as it did during generation.
    """
    decoder = model.config.decoder
    config = model.generation_config.resolve().with_options(
        {"num_beams": 1, "do_sample": False, "max_new_tokens": max_new, "num_return_sequences": 1}
    )
    sources, prompts = (None, [ids]) if decoder is None else ([ids], None)
    ((text,),) = model.generate_ids(sources, prompts, config)
    output_ids = text.ids
    inputs = output_ids[:-1] or output_ids
    packed = pack([inputs], decoder or model.config).to(model.device)
    read = packed if decoder is None else pack([ids], model.config).to(model.device)
    with record_activations(model) as trace:
        logits = model.run(read, target=packed)
    if not logits.isfinite().all():
        raise not_finite_error(model.dtype)
    labels = RowLabels(_names(tokenizer, inputs), _names(tokenizer, output_ids)[1:])
    source = labels if decoder is None else RowLabels(_names(tokenizer, ids))
    steps = [_vectorization(model.embeddings, trace, "embeddings", read, source.tokens)]
    x = output_of(trace, "embeddings")
    if decoder is not None:
        steps += stack_steps(model.encoder, trace, x, "encoder", source)
        labels = replace(labels, source=source.tokens, memory=output_of(trace, "encoder"))
        x = model.embeddings.tokens(packed.ids)
        steps.append(_vectorization(model.decoder_embeddings, trace, "decoder_embeddings", packed, labels.tokens, x))
        x = output_of(trace, "decoder_embeddings")
    steps += stack_steps(model.decoder, trace, x, "decoder", labels)
    assert model.head is not None  # `generate_ids` raises without one
    formula = "p = softmax(z·{}{}{})".format(
        "" if model.head.scale == 1.0 else "d^(−½)·",
        "Eᵀ" if model.head.output is None else "W_output",
        "" if model.head.bias is None else " + b",
    )
    last, words = _likeliest(logits, "next", labels, {"z": output_of(trace, "decoder")}, formula=formula)
    return {
        "steps": (*steps, last),
        "written": _names(tokenizer, output_ids),
        "text_written": tokenizer.decode(output_ids[len(ids) if decoder is None else 0 :], skip_special_tokens=True),
        "cut": text.unfinished == "limit",
        "words": dict(zip(words, _names(tokenizer, words), strict=True)),
    }
