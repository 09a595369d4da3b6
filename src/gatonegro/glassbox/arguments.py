"""How `explain` and `diagnose` read their arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatonegro.i18n import Message

DEFAULT = "sentiment-es-en"


def text_problem(value: Any) -> Message | None:
    """Return why a value is no text; None for a text."""
    kind = type(value).__name__
    message = Message(f"{kind} where a text is wanted; pass a str.", f"{kind} donde hace falta un texto; pasa un str.")
    return None if isinstance(value, str) else message


def resolve(model: Any) -> Any:
    """Return the name that `model=` is, a folder's too, or the built-in model's for None; else the pipeline that it is.

    None is returned for anything else.
    """
    if model is None or isinstance(model, str | Path):
        return DEFAULT if model is None else str(model)
    from gatonegro.pipelines import Pipeline  # imports torch, which a name does not need

    return model if isinstance(model, Pipeline) else None
