"""The supported model families, such as BERT and T5, by the `model_type` in their `config.json`."""

from __future__ import annotations

from gatonegro.checks import short_repr
from gatonegro.errors import ConfigError
from gatonegro.families.bart import BART, MARIAN
from gatonegro.families.bert import BERT
from gatonegro.families.distilbert import DISTILBERT
from gatonegro.families.family import MESSAGES, Family
from gatonegro.families.gpt2 import GPT2
from gatonegro.families.roberta import CAMEMBERT, ROBERTA, XLM_ROBERTA
from gatonegro.families.t5 import MT5, T5

FAMILIES: dict[str, Family] = {
    "bert": BERT,
    "distilbert": DISTILBERT,
    "roberta": ROBERTA,
    "xlm-roberta": XLM_ROBERTA,
    "camembert": CAMEMBERT,
    "marian": MARIAN,
    "bart": BART,
    "t5": T5,
    "mt5": MT5,
    "gpt2": GPT2,
}


def family_of(model_type: object) -> Family:
    """Return the family that supports a `model_type`, or raise ConfigError with a list of the supported types."""
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise ConfigError(*MESSAGES["model_type"].format(model_type=short_repr(model_type), known=", ".join(FAMILIES)))
    return FAMILIES[model_type]
