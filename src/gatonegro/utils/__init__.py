"""Names that `transformers.utils` has too."""

from importlib import import_module
from typing import Any

from gatonegro.utils import logging

__all__ = ["logging"]


def __getattr__(name: str) -> Any:
    if name == "ModelOutput":
        return import_module("gatonegro.models.output").ModelOutput
    raise AttributeError(f"module 'gatonegro.utils' has no attribute {name!r}")
