"""Transformer text models for Spanish and English that run offline and fast on a CPU, with every number visible.

Public names are imported on first use, so `import gatonegro` is fast.
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from sys import meta_path
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"  # of all three distributions

_MODULES = {
    "AddedToken": "tokenization",
    "AutoConfig": "families.auto",
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
    ("Output", "Cache", "PreTrainedModel"): "models.classes",
    ("",): "models.classes",
}

if TYPE_CHECKING:
    from gatonegro.config import Config as Config
    from gatonegro.families import PreTrainedConfig as PreTrainedConfig
    from gatonegro.families.auto import AutoConfig as AutoConfig
    from gatonegro.generation import GenerationConfig as GenerationConfig
    from gatonegro.glassbox.diagnose import diagnose as diagnose
    from gatonegro.glassbox.explain import explain as explain
    from gatonegro.models import (
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
    from gatonegro.torch_extra import requires_torch

    with requires_torch(f"gatonegro.{name}"):
        if name in _MODULES:
            return getattr(import_module(f"gatonegro.{_MODULES[name]}"), name)
        if name in ("modeling_outputs", "utils"):
            return import_module(f"gatonegro.{name}")
        for module in _class_modules(name):
            if (found := import_module(f"gatonegro.{module}").find_class(name)) is not None:
                return found
    raise AttributeError(_refusal(name) or f"module 'gatonegro' has no attribute {name!r}")


def _class_modules(name: str) -> Iterator[str]:
    """Yield the modules that may have a class of a given name; for any name, `models.classes` where PyTorch is."""
    if name[:1].isupper():
        from gatonegro.families import class_names
        from gatonegro.torch_extra import has_torch

        for ends, module in _CLASSES.items():
            if name.endswith(ends) and (ends != ("",) or has_torch() or name in class_names()):
                yield module


def _refusal(name: str) -> str:
    """Return what to use instead of a name or module of `transformers` that is not here, or "" if unknown."""
    if name[:1] == "_" or any(Path(__path__[0], name + end).exists() for end in ("", ".py")):  # a module of ours
        return ""
    from gatonegro.compat import refusal

    return str(refusal(name) or "")


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
