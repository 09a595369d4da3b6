"""`diagnose()`, which tells whether a model fits a text's language, without loading the model's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, overload

from gatonegro.checks import row_error, text_problem
from gatonegro.errors import InputError
from gatonegro.glassbox import MESSAGES
from gatonegro.hub import DEFAULT_MODELS
from gatonegro.language.diagnosis import Diagnosis, diagnosis_of, is_encoder_decoder, load_tokenizer_and_languages


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
    """Diagnose whether a model fits the language of a text, from the model's tokenizer, config and card.

    Args:
        text_or_texts: a text or a list of texts.
        model: a folder, a built-in's short name, a name on the hub, or a pipeline; default: the built-in sentiment
            model.
        revision: branch, tag or commit on the hub.
        local_files_only: never use the network.

    Returns:
        A `Diagnosis`, or a list of them for a list of texts.

    Raises:
        InputError: the input is not a text or a list of texts; the model is not a name, a folder or a pipeline.
        HubError: the model cannot be found or downloaded.
        TokenizerError: its tokenizer cannot be used.
        ConfigError: its config.json is invalid.

    >>> diagnose("El profesor es bueno, todo será sencillo", model="demo-en").fits
    False
    """
    if not isinstance(text_or_texts, str | list | tuple):
        raise InputError(*MESSAGES["no_texts"].format(kind=type(text_or_texts).__name__))
    texts: list[str] = [text_or_texts] if isinstance(text_or_texts, str) else list(text_or_texts)
    for i, text in enumerate(texts):
        if problem := text_problem(text):
            raise row_error(problem, item=i)
    resolved = resolve(model)
    if resolved is None:
        raise InputError(*MESSAGES["no_name"].format(kind=type(model).__name__))
    if resolved == "toy":
        raise InputError(*MESSAGES["no_language"])
    if isinstance(resolved, str):
        name, loaded = resolved, load_tokenizer_and_languages(resolved, revision, local_files_only)
        tokenizer, languages, encoder_decoder = loaded
    else:
        name, tokenizer, languages = resolved.running.name_or_path or "?", resolved.tokenizer, resolved.languages
        encoder_decoder = is_encoder_decoder(resolved.running.config)
    diagnoses = [diagnosis_of(text, name, tokenizer, languages, encoder_decoder) for text in texts]
    return diagnoses[0] if isinstance(text_or_texts, str) else diagnoses


def resolve(model: Any) -> Any:
    """Convert a user's `model` argument to a model name or a pipeline, or return None for other types of value."""
    if model is None or isinstance(model, str | Path):
        return DEFAULT_MODELS["text-classification"] if model is None else str(model)
    from gatonegro.pipelines import Pipeline  # imported here, for a light start

    return model if isinstance(model, Pipeline) else None
