"""Transformer text models for Spanish and English that run offline and fast on a CPU, with every number visible.

Public names are imported on first use, so `import gatonegro` is fast.
"""

from importlib import import_module
from sys import meta_path
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"  # of all three distributions

_MODULES = {
    "AddedToken": "tokenization",
    "AutoConfig": "models",
    "AutoModel": "models",
    "AutoModelForCausalLM": "models",
    "AutoModelForMaskedLM": "models",
    "AutoModelForQuestionAnswering": "models",
    "AutoModelForSeq2SeqLM": "models",
    "AutoModelForSequenceClassification": "models",
    "AutoModelForTokenClassification": "models",
    "AutoTokenizer": "tokenization",
    "BatchEncoding": "tokenization",
    "CharSpan": "tokenization",
    "Config": "config",
    "diagnose": "glassbox.diagnose",
    "explain": "glassbox.explain",
    "GenerationConfig": "generation",
    "logging": "utils",
    "ModelOutput": "models",
    "pipeline": "pipelines",
    "PreTrainedConfig": "families",
    "set_seed": "training",
    "TokenSpan": "tokenization",
}
__all__ = [*_MODULES]
_CLASSES = {  # ends of names → where `find_class` makes classes of `transformers` from tables
    ("Config",): "families",
    ("Pipeline",): "pipelines",
    ("Tokenizer", "TokenizerFast", "TokenizerBase"): "tokenization",
    ("Processor", "ProcessorList", "Warper", "Penalty", "Normalization", "Criteria", "CriteriaList", "Streamer"): (
        "generation"
    ),
    ("",): "models.classes",
}

if TYPE_CHECKING:
    from gatonegro.config import Config as Config
    from gatonegro.families import PreTrainedConfig as PreTrainedConfig
    from gatonegro.generation import GenerationConfig as GenerationConfig
    from gatonegro.glassbox.diagnose import diagnose as diagnose
    from gatonegro.glassbox.explain import explain as explain
    from gatonegro.models import (
        AutoConfig as AutoConfig,
        AutoModel as AutoModel,
        AutoModelForCausalLM as AutoModelForCausalLM,
        AutoModelForMaskedLM as AutoModelForMaskedLM,
        AutoModelForQuestionAnswering as AutoModelForQuestionAnswering,
        AutoModelForSeq2SeqLM as AutoModelForSeq2SeqLM,
        AutoModelForSequenceClassification as AutoModelForSequenceClassification,
        AutoModelForTokenClassification as AutoModelForTokenClassification,
        ModelOutput as ModelOutput,
    )
    from gatonegro.pipelines import pipeline as pipeline
    from gatonegro.tokenization import (
        AddedToken as AddedToken,
        AutoTokenizer as AutoTokenizer,
        BatchEncoding as BatchEncoding,
        CharSpan as CharSpan,
        TokenSpan as TokenSpan,
    )
    from gatonegro.training import set_seed as set_seed
    from gatonegro.utils import logging as logging


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"gatonegro.{_MODULES[name]}"), name)
    if name in ("modeling_outputs", "utils"):
        return import_module(f"gatonegro.{name}")
    if name[:1].isupper():
        for ends, module in _CLASSES.items():
            if name.endswith(ends) and (found := import_module(f"gatonegro.{module}").find_class(name)) is not None:
                return found
    raise AttributeError(_refusal(name) or f"module 'gatonegro' has no attribute {name!r}")


def _refusal(name: str) -> str:
    """Return what to use instead of a name or module of `transformers` that is not here, or "" if unknown."""
    from gatonegro.compat import refusal

    return "" if name[:1] == "_" else str(refusal(name) or "")


class _Refusals:
    """Finder that finds no module: `from gatonegro import Trainer` looks for one, and hides an AttributeError."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        package, _, rest = name.partition(".")
        if package == __name__ and (message := _refusal(rest)):
            raise ImportError(message, name=name)


meta_path.append(_Refusals)


def __dir__() -> list[str]:
    return sorted(__all__)
