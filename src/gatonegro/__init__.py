"""Transformer text models in Spanish and English: offline, fast on a CPU, every number open to view.

Public names are imported on first use, so `import gatonegro` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_MODULES = {
    "AutoConfig": "models",
    "AutoModel": "models",
    "AutoModelForCausalLM": "models",
    "AutoModelForMaskedLM": "models",
    "AutoModelForSeq2SeqLM": "models",
    "AutoModelForSequenceClassification": "models",
    "AutoModelForTokenClassification": "models",
    "AutoTokenizer": "tokenization",
    "Config": "config",
    "diagnose": "glassbox.diagnose",
    "explain": "glassbox.explain",
    "pipeline": "pipelines",
}
__all__ = [*_MODULES]

if TYPE_CHECKING:
    from gatonegro.config import Config
    from gatonegro.glassbox.diagnose import diagnose
    from gatonegro.glassbox.explain import explain
    from gatonegro.models import (
        AutoConfig,
        AutoModel,
        AutoModelForCausalLM,
        AutoModelForMaskedLM,
        AutoModelForSeq2SeqLM,
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
    )
    from gatonegro.pipelines import pipeline
    from gatonegro.tokenization import AutoTokenizer


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'gatonegro' has no attribute {name!r}")
    return getattr(import_module(f"gatonegro.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
