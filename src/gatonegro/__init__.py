"""Transformer text models for Spanish and English that run offline and fast on a CPU, with every number visible.

Public names are imported on first use, so `import gatonegro` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"  # of all three distributions

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
    from gatonegro.config import Config as Config
    from gatonegro.glassbox.diagnose import diagnose as diagnose
    from gatonegro.glassbox.explain import explain as explain
    from gatonegro.models import (
        AutoConfig as AutoConfig,
        AutoModel as AutoModel,
        AutoModelForCausalLM as AutoModelForCausalLM,
        AutoModelForMaskedLM as AutoModelForMaskedLM,
        AutoModelForSeq2SeqLM as AutoModelForSeq2SeqLM,
        AutoModelForSequenceClassification as AutoModelForSequenceClassification,
        AutoModelForTokenClassification as AutoModelForTokenClassification,
    )
    from gatonegro.pipelines import pipeline as pipeline
    from gatonegro.tokenization import AutoTokenizer as AutoTokenizer


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'gatonegro' has no attribute {name!r}")
    return getattr(import_module(f"gatonegro.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
