"""Models, and the `Auto*` classes that load them by name, with the API of `transformers`.

`Model.forward` packs a padded batch, computes on packed sequences, and pads the result.
"""

from gatonegro.torch_extra import requires_torch

with requires_torch("gatonegro.models"):
    from gatonegro.models.auto import (
        AutoModel,
        AutoModelForCausalLM,
        AutoModelForMaskedLM,
        AutoModelForQuestionAnswering,
        AutoModelForSeq2SeqLM,
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
    )
    from gatonegro.models.generative import LanguageModel
    from gatonegro.models.loading import build, load, load_optimized, resolve_dtype
    from gatonegro.models.model import Model, shared_copy
    from gatonegro.models.named import init_weights
    from gatonegro.models.output import ModelOutput

__all__ = [
    "AutoModel",
    "AutoModelForCausalLM",
    "AutoModelForMaskedLM",
    "AutoModelForQuestionAnswering",
    "AutoModelForSeq2SeqLM",
    "AutoModelForSequenceClassification",
    "AutoModelForTokenClassification",
    "LanguageModel",
    "Model",
    "ModelOutput",
    "build",
    "init_weights",
    "load",
    "load_optimized",
    "resolve_dtype",
    "shared_copy",
]  # fmt: skip
