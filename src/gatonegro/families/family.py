"""Tables of a model family's `config.json` keys and tensor names.

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

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatonegro.errors import InputError
from gatonegro.i18n import catalog

HERE = Path(__file__).parent
MESSAGES = catalog(HERE / "messages.json")
TABLES: dict[str, dict[str, Any]] = json.loads((HERE / "defaults.json").read_text(encoding="utf-8"))
COMMON_DEFAULTS = TABLES.pop("")
GENERATION_OPTIONS = TABLES.pop("generation")  # which older files have beside the attributes
# model_type → attribute of its configuration in `transformers` → default value
DEFAULTS = {name: {**COMMON_DEFAULTS, "model_type": name, **table} for name, table in TABLES.items()}
NameRow = tuple[str, str | None] | tuple[str, str | tuple[str, ...] | None, str]


@dataclass(frozen=True)
class Head:
    """A model head: its class name in `transformers`, and its tensors' names in a checkpoint and in the model."""

    architecture: str
    rows: tuple[NameRow, ...] = ()


@dataclass(frozen=True, eq=False)
class Family:
    """A model family, such as BERT, as data: its tensor names, heads, `config.json` keys and default values."""

    prefix: str  # of all tensors but the head's, in a checkpoint with a head
    rows: tuple[NameRow, ...]
    heads: Mapping[str, Head]
    defaults: Mapping[str, Any]  # keys of config.json → values where they are missing
    attribute_map: Mapping[str, str] = field(default_factory=dict)  # field of Config → key, where they differ
    fixed: Mapping[str, Any] = field(default_factory=dict)  # fields of Config that config.json does not have
    ignored: tuple[str, ...] = ()  # ends of the names of unused tensors
    required: Mapping[str, Any] = field(default_factory=dict)  # key → the only supported value
    # key → each value that it may have → fields of Config
    value_map: Mapping[str, Mapping[Any, Mapping[str, Any]]] = field(default_factory=dict)
    decoder_attribute_map: Mapping[str, str] | None = None  # as `attribute_map`, for an encoder–decoder's decoder
    aliases: Mapping[str, str] = field(default_factory=dict)  # attribute in `transformers` → field of Config

    @property
    def config_keys(self) -> dict[str, str]:
        """Map each `Config` field that config.json stores to its key there."""
        names = (*COMMON_FIELDS, *(name for name in OPTIONAL_FIELDS if name in self.attribute_map))
        others = {*self.fixed, *(name for row in self.value_map.values() for fields in row.values() for name in fields)}
        return {name: self.attribute_map.get(name, name) for name in names if name not in others}

    @property
    def base_head(self) -> str:
        """The name of the base model's head: "pooler" for families like BERT that have one, else "none"."""
        return "pooler" if "pooler" in self.heads else "none"


def class_name(family: Family, head: str) -> str:
    """Return the name of the class, in `transformers`, of a family's models with a given head, or without one."""
    known = head in family.heads and head not in BASE_HEADS
    return family.heads[head if known else family.base_head].architecture


def other_class(wanted: str, kind: str) -> InputError:
    """Return the error for a class of models, by name, that gets a model of another family."""
    return InputError(*MESSAGES["other_class"].format(wanted=wanted, kind=kind))


BASE_HEADS = ("none", "pooler")  # heads of base models, which have no task
# fields of Config that every config.json has, except the labels'
COMMON_FIELDS = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size", "hidden_act", "layer_norm_eps", "hidden_dropout_prob",
    "attention_probs_dropout_prob", "classifier_dropout", "initializer_range", "pad_token_id",
)  # fmt: skip
# fields of the families whose `attribute_map` has them
OPTIONAL_FIELDS = (
    "d_kv", "relative_attention_num_buckets", "relative_attention_max_distance", "sequence_dropout", "span_dropout",
)  # fmt: skip
