"""Transformer text models in Spanish and English: offline, fast on a CPU, every number open to view.

What is named here is imported when it is first used, so that `import gatonegro` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"  # of all three distributions

_HOMES = {
    "AutoConfig": "models",
    "AutoModel": "models",
    "AutoModelForCausalLM": "models",
    "AutoModelForMaskedLM": "models",
    "AutoModelForSeq2SeqLM": "models",
    "AutoModelForSequenceClassification": "models",
    "AutoModelForTokenClassification": "models",
    "AutoTokenizer": "tokenization",
    "Config": "config",
    "diagnose": "glassbox.diagnosing",
    "explain": "glassbox.explaining",
    "pipeline": "pipelines",
}
__all__ = [*_HOMES]

if TYPE_CHECKING:
    from gatonegro.config import Config as Config
    from gatonegro.glassbox.diagnosing import diagnose as diagnose
    from gatonegro.glassbox.explaining import explain as explain
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
    if name not in _HOMES:
        raise AttributeError(f"module 'gatonegro' has no attribute {name!r}")
    return getattr(import_module(f"gatonegro.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
