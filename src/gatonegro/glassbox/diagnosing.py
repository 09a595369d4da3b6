"""`diagnose`: does a model fit the language of a text? No weights are read, and no torch is imported for a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, overload

from gatonegro.checks import row_error, text_problem
from gatonegro.errors import InputError
from gatonegro.hub import DEFAULTS
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
    """Tell whether a model fits the language of a text. Reads tokenizer, config and card, and no weights.

    Args:
        text_or_texts: a text, or a list of them, which gives a list.
        model: a folder, a built-in's short name, a name on the hub, or a pipeline; by default the built-in sentiment
            model.
        revision, local_files_only: as in `from_pretrained`, for a name on the hub.

    Raises:
        InputError: what is no text.
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
        name = resolved
        tokenizer, languages = read_model(name, revision, local_files_only)
        writes = is_encoder_decoder(name, revision, local_files_only)
    else:
        name, tokenizer, languages = resolved.model.name_or_path or "?", resolved.tokenizer, resolved.languages
        writes = resolved.model.config.decoder is not None
    found = [diagnosis_of(text, name, tokenizer, languages, writes) for text in texts]
    return found[0] if isinstance(text_or_texts, str) else found


def resolve(model: Any) -> Any:
    """Return the name that `model=` is, a folder's too, or the built-in model's for None; else the pipeline that it is.

    None is returned for anything else.
    """
    if model is None or isinstance(model, str | Path):
        return DEFAULTS["text-classification"] if model is None else str(model)
    from gatonegro.pipelines import Pipeline  # imports torch, which a name does not need

    return model if isinstance(model, Pipeline) else None
