"""Tables of a model family's `config.json` keys and tensor names, and conversion of `config.json` to `Config`.

A row of names is `(name in the checkpoint, the model's name)`, or the same with an operation:

- `"tie"`: a second name of a tensor that is stored under another (tied embeddings, repeated biases). It is read
  where the first name is missing, must be equal where both exist, and is never written. The model's name None stands
  for a tensor that is not used (a saved buffer, an unused head).
- `"transpose"`: the checkpoint holds the matrix transposed (GPT-2's Conv1D); a bias stays as it is.
- `"split"`: one tensor of the checkpoint is several of the model's: equal parts along its first axis (fused Q, K, V).
- `"transpose split"`: first transposed, then split.

`{i}` stands for a layer's number, `*` for `weight` and `bias`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gatonegro.checks import short, whole
from gatonegro.config import MAX_LABELS, Config
from gatonegro.errors import ConfigError
from gatonegro.i18n import catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))
NameRow = tuple[str, str | None] | tuple[str, str | tuple[str, ...] | None, str]


@dataclass(frozen=True)
class Head:
    """A model head: its class name in `transformers`, and its tensors' names in a checkpoint and in the model."""

    architecture: str
    rows: tuple[NameRow, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)  # more of the family's `attribute_map`, for this head


@dataclass(frozen=True)
class Family:
    """A model family, such as BERT, as data: its tensor names, heads, `config.json` keys and default values."""

    prefix: str  # of all tensors but the head's, in a checkpoint with a head
    rows: tuple[NameRow, ...]
    heads: Mapping[str, Head]
    defaults: Mapping[str, Any]  # values of missing keys, where they are not those of Config
    attribute_map: Mapping[str, str] = field(default_factory=dict)  # field of Config → key, where they differ
    fixed: Mapping[str, Any] = field(default_factory=dict)  # fields of Config that config.json does not have
    ignored: tuple[str, ...] = ()  # ends of the names of unused tensors
    required: Mapping[str, Any] = field(default_factory=dict)  # key → the only supported value
    # key → each value that it may have → fields of Config
    value_map: Mapping[str, Mapping[Any, Mapping[str, Any]]] = field(default_factory=dict)
    decoder_attribute_map: Mapping[str, str] | None = None  # as `attribute_map`, for an encoder–decoder's decoder

    def config_keys(self, head: str | None) -> dict[str, str]:
        """Map each `Config` field that config.json stores to its key there, for a model with the given head."""
        special = {**self.attribute_map, **(self.heads[head].config if head in self.heads else {})}  # type: ignore[index]
        names = (*COMMON_FIELDS, *(name for name in OPTIONAL_FIELDS if name in self.attribute_map))
        return {name: special.get(name, name) for name in names if name not in self.fixed}

    @property
    def base_head(self) -> str:
        """The name of the base model's head: "pooler" for families like BERT that have one, else "none"."""
        return "pooler" if "pooler" in self.heads else "none"


BASE_HEADS = ("none", "pooler")  # heads of base models, which have no task
# fields of Config that every config.json has, except the labels'
COMMON_FIELDS = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size", "hidden_act", "layer_norm_eps", "hidden_dropout_prob",
    "attention_probs_dropout_prob", "classifier_dropout", "initializer_range", "pad_token_id",
)  # fmt: skip
# fields of the families whose `attribute_map` has them
OPTIONAL_FIELDS = ("d_kv", "relative_attention_num_buckets", "relative_attention_max_distance")
LABEL_KEYS = ("id2label", "label2id", "num_labels", "problem_type")


def read_config(family: Family, data: Mapping[str, Any], head: str | None = None) -> Config:
    """Convert the contents of a `config.json` to a `Config`, whose `extra` keeps all of its keys."""
    for key, value in family.required.items():
        if data.get(key, value) != value:
            raise ConfigError(*MESSAGES["unsupported"].format(key=key, value=short(data[key]), only=value))
    values: dict[str, Any] = {}
    for name, key in family.config_keys(head).items():
        value = data.get(key, family.defaults.get(key))
        if value is not None or key in data:
            values[name] = value
    classes = data.get("architectures")
    if classes is not None and not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise ConfigError(*MESSAGES["architectures"].format(value=short(classes)))
    if values.get("intermediate_size") is None and isinstance(values.get("hidden_size"), int):
        values["intermediate_size"] = 4 * values["hidden_size"]  # GPT-2 leaves it null
    if isinstance(positions := values.get("max_position_embeddings"), int):
        values["max_position_embeddings"] = positions + family.fixed.get("first_position", 0)
    for key, fields in family.value_map.items():
        value = data.get(key, family.defaults.get(key))
        if not isinstance(value, str | bool | None) or value not in fields:
            known = ", ".join(map(repr, fields))
            raise ConfigError(*MESSAGES["unknown_value"].format(key=key, value=short(value), known=known))
        values |= fields[value]
    labels = _labels(data)
    try:
        config = Config(
            model_type=str(data["model_type"]),
            id2label={int(i): label for i, label in labels.items()},
            problem_type=data.get("problem_type"),
            extra=dict(data),
            **family.fixed,
            **values,
        )
        if family.decoder_attribute_map is None:
            return config
        stored = ((name, data.get(key, family.defaults.get(key))) for name, key in family.decoder_attribute_map.items())
        decoder = {name: value for name, value in stored if value is not None}  # T5: as many layers as the encoder
        return replace(config, decoder=replace(config, add_cross_attention=True, **decoder))
    except (TypeError, AttributeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(*MESSAGES["wrong_kind"].format(error=error)) from error


def _labels(data: Mapping[str, Any]) -> Mapping[Any, str]:
    """Return a model's labels by index, named LABEL_0, LABEL_1 and so on if config.json has only their number."""
    labels = data.get("id2label")
    if labels is None:
        count, check = data.get("num_labels", 2), whole(1, MAX_LABELS)
        if not check.test(count):
            raise ConfigError(*check.message("num_labels", count)).within("config.json")
        labels = {i: f"LABEL_{i}" for i in range(count)}
    if not isinstance(labels, Mapping) or not all(isinstance(label, str) for label in labels.values()):
        raise ConfigError(*MESSAGES["id2label"])
    return labels


def write_config(family: Family, config: Config, head: str | None = None) -> dict[str, Any]:
    """Convert a `Config` to the contents of a `config.json` that `transformers` can read."""
    keys = family.config_keys(head)
    data = {k: v for k, v in config.extra.items() if k not in (*LABEL_KEYS, "torch_dtype", "dtype")}
    for name, key in keys.items():
        data[key] = getattr(config, name)
    key = keys["classifier_dropout"]
    if data[key] is None and key in family.defaults:
        data[key] = config.hidden_dropout_prob  # DistilBERT's is a number
    if "max_position_embeddings" in keys:
        data[keys["max_position_embeddings"]] -= config.first_position
    for key, choices in family.value_map.items():
        matches = (value for value, own in choices.items() if all(getattr(config, n) == v for n, v in own.items()))
        data[key] = next(matches, data.get(key))
    for name, key in (family.decoder_attribute_map or {}).items():
        data[key] = getattr(config.decoder, name)
    data["model_type"] = config.model_type
    if head in family.heads or head in BASE_HEADS:
        data["architectures"] = [family.heads[head if head in family.heads else family.base_head].architecture]  # type: ignore
    data["id2label"] = {str(i): label for i, label in config.id2label.items()}
    data["label2id"] = config.label2id
    if config.problem_type:
        data["problem_type"] = config.problem_type
    return data
