"""The model classes of `transformers`, such as `BertForSequenceClassification`, from the tables of the families."""

from __future__ import annotations

from functools import cache
from typing import Any

from gatonegro.families import FAMILIES, class_names, config_class, pretrained_class_name
from gatonegro.families.family import class_name
from gatonegro.models.cache import DynamicCache, EncoderDecoderCache
from gatonegro.models.generative import LanguageModel
from gatonegro.models.model import Model
from gatonegro.models.output import CLASSES


@cache
def named_class(name: str) -> type[Model]:
    """Return the model class of a given name, one of `class_names`."""
    model_type, head = class_names()[name]
    family, values = FAMILIES[model_type], dict[str, Any](task_head=head)
    if head is not None:
        parent = named_class(pretrained_class_name(model_type))
    else:
        generates = {"seq2seq-lm", "causal-lm"} & family.heads.keys()
        parent = LanguageModel if generates else Model
        values = {"model_type": model_type, "config_class": config_class(family)}
        values["base_model_prefix"] = family.prefix.rstrip(".")
    return type(name, (parent,), {**values, "__module__": "gatonegro", "__doc__": f"`{name}`, as in `transformers`."})


def model_class(model_type: str, head: str) -> type[Model]:
    """Return the class of a family's models with a given head, or without one."""
    return named_class(class_name(FAMILIES[model_type], head))


def find_class(name: str) -> type | None:
    """Return the class of models, outputs or caches of a given name in `transformers`, or None."""
    caches = {kind.__name__: kind for kind in (DynamicCache, EncoderDecoderCache)}
    others = {**CLASSES, **caches, "PreTrainedModel": Model}
    return named_class(name) if name in class_names() else others.get(name)
