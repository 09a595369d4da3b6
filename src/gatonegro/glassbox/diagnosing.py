"""`diagnose`: whether a model fits the language of a text. Reads no weights; for a name, imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, overload

from gatonegro.checks import row_error, text_problem
from gatonegro.errors import InputError
from gatonegro.hub import DEFAULT_MODELS
from gatonegro.language import Diagnosis, diagnosis_of
from gatonegro.language.diagnosis import is_encoder_decoder, read_model


@overload
def diagnose(
    text_or_texts: str, model: Any = None, *, revision: str | None = None, local_files_only: bool = False
) -> Diagnosis: ...
@overload
def diagnose(
    text_or_texts: list[str], model: Any = None, *, revision: str | None = None, local_files_only: bool = False
) -> list[Diagnosis]: ...
def diagnose(
    text_or_texts: str | list[str], model: Any = None, *, revision: str | None = None, local_files_only: bool = False
) -> Diagnosis | list[Diagnosis]:
    """Return whether a model fits the language of a text, with the evidence of its tokenizer, config and card.

    Args:
        text_or_texts: a text, or a list of texts, for which a list is returned.
        model: a folder, a built-in's short name, a name on the hub, or a pipeline; by default the built-in sentiment
            model.
        revision, local_files_only: as in `from_pretrained`, for a name on the hub.

    Raises:
        InputError: the input is not a text or a list of texts; the model is not a name, a folder or a pipeline.
        HubError, TokenizerError, ConfigError: the model cannot be read.

    >>> diagnose("El profesor es bueno, todo será sencillo", model="demo-en").fits
    False
    """
    if not isinstance(text_or_texts, str | list | tuple):
        kind = type(text_or_texts).__name__
        raise InputError(f"{kind} where a text or a list is wanted.", f"{kind} donde hace falta un texto o una lista.")
    texts: list[str] = [text_or_texts] if isinstance(text_or_texts, str) else list(text_or_texts)
    for i, text in enumerate(texts):
        if problem := text_problem(text):
            raise row_error(problem, item=i)
    resolved = resolve(model)
    if resolved is None:
        kind = type(model).__name__
        raise InputError(
            f"model must be a name, a folder or a pipeline, not {kind}.",
            f"model debe ser un nombre, una carpeta o un pipeline, no {kind}.",
        )
    if resolved == "toy":
        raise InputError(
            "the toy model knows three words and no language; name another model.",
            "el modelo de juguete sabe tres palabras y ningún idioma; nombra otro modelo.",
        )
    if isinstance(resolved, str):
        name, (tokenizer, languages, writes) = resolved, read_model(resolved, revision, local_files_only)
    else:
        name, tokenizer, languages = resolved.model.name_or_path or "?", resolved.tokenizer, resolved.languages
        writes = is_encoder_decoder(resolved.model.config)
    diagnoses = [diagnosis_of(text, name, tokenizer, languages, writes) for text in texts]
    return diagnoses[0] if isinstance(text_or_texts, str) else diagnoses


def resolve(model: Any) -> Any:
    """Return the name or folder in `model=` as a str, the built-in's for None, or the pipeline; None for all others."""
    if model is None or isinstance(model, str | Path):
        return DEFAULT_MODELS["text-classification"] if model is None else str(model)
    from gatonegro.pipelines import Pipeline  # here, since it imports torch, which a name does not need

    return model if isinstance(model, Pipeline) else None
