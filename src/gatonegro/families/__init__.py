"""The supported model families, such as BERT and T5, by the `model_type` in their `config.json`."""

from __future__ import annotations

from gatonegro import hub
from gatonegro.checks import short_repr
from gatonegro.errors import ConfigError
from gatonegro.families.bart import BART, MARIAN
from gatonegro.families.bert import BERT
from gatonegro.families.configuration import PreTrainedConfig, config_class, read_config
from gatonegro.families.distilbert import DISTILBERT
from gatonegro.families.family import MESSAGES, Family
from gatonegro.families.gpt2 import GPT2
from gatonegro.families.roberta import CAMEMBERT, ROBERTA, XLM_ROBERTA
from gatonegro.families.t5 import MT5, T5

__all__ = [
    "FAMILIES",
    "PreTrainedConfig",
    "class_names",
    "config_class",
    "family_of",
    "find_class",
    "load_config",
    "pretrained_class_name",
]

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


def class_names() -> dict[str, tuple[str, str | None]]:
    """Map the name of each model class to its `model_type` and head, None for `BertPreTrainedModel` and the like."""
    names: dict[str, tuple[str, str | None]] = {}
    for model_type, family in FAMILIES.items():
        names[pretrained_class_name(model_type)] = model_type, None
        names |= {head.architecture: (model_type, name) for name, head in family.heads.items()}
    return names


def pretrained_class_name(model_type: str) -> str:
    """Return the name of the parent of a family's model classes, such as "BertPreTrainedModel"."""
    family = FAMILIES[model_type]
    return family.heads[family.base_head].architecture.removesuffix("Model") + "PreTrainedModel"


def find_class(name: str) -> type[PreTrainedConfig] | None:
    """Return the class of configurations that has a name such as "BertConfig", or None."""
    if name == "PretrainedConfig":  # in `transformers` 4
        return PreTrainedConfig
    return next((cls for family in FAMILIES.values() if (cls := config_class(family)).__name__ == name), None)


def load_config(source: hub.Source) -> PreTrainedConfig:
    """Read a model's configuration from its `config.json`."""
    data = source.json("config.json")
    if data is None:
        raise ConfigError(*MESSAGES["no_config"].format(name=source.name))
    try:
        config = read_config(family_of(data.get("model_type")), data)
    except ConfigError as error:
        raise error.within(source.name) from None
    config.name_or_path = source.name
    return config
