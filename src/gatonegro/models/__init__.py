"""The `Auto*` classes: a configuration, its weights and a head, with the API of `transformers`.

`Model.forward` packs a padded batch, computes on packed sequences, and pads the result.
"""

from gatonegro.models.arrays import SCORE_FUNCTIONS, as_tensor, softmax, unit
from gatonegro.models.auto import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)
from gatonegro.models.generative import LanguageModel
from gatonegro.models.loading import build, copy_to, head_of, load, load_config, load_fast, precision
from gatonegro.models.model import Model, initialise, share
from gatonegro.models.output import ModelOutput

__all__ = [
    "SCORE_FUNCTIONS", "AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoModelForMaskedLM",
    "AutoModelForSeq2SeqLM", "AutoModelForSequenceClassification", "AutoModelForTokenClassification", "LanguageModel",
    "Model", "ModelOutput", "as_tensor", "build", "copy_to", "head_of", "initialise", "load", "load_config",
    "load_fast", "precision", "share", "softmax", "unit",
]  # fmt: skip
