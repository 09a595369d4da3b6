"""Models, and the `Auto*` classes that load them by name, with the API of `transformers`.

`Model.forward` packs a padded batch, computes on packed sequences, and pads the result.
"""

from gatonegro.models.auto import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForQuestionAnswering,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)
from gatonegro.models.generative import LanguageModel
from gatonegro.models.loading import (
    build,
    copy_to,
    head_of,
    load,
    load_config,
    load_optimized,
    one_device,
    resolve_dtype,
)
from gatonegro.models.model import Model, shared_copy
from gatonegro.models.named import init_weights
from gatonegro.models.output import ModelOutput
from gatonegro.models.scores import SCORE_FUNCTIONS, as_tensor, l2_normalize, softmax

__all__ = [
    "SCORE_FUNCTIONS",
    "AutoConfig",
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
    "as_tensor",
    "build",
    "copy_to",
    "head_of",
    "init_weights",
    "l2_normalize",
    "load",
    "load_config",
    "load_optimized",
    "one_device",
    "resolve_dtype",
    "shared_copy",
    "softmax",
]  # fmt: skip
