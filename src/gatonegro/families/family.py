"""A family's `config.json` keys and tensor names as tables, and the conversion of both from and to a checkpoint.

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

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatonegro.checks import short, whole
from gatonegro.config import MAX_LABELS, Config
from gatonegro.errors import CheckpointError, ConfigError, MissingHeadError
from gatonegro.i18n import EMPTY, Message, catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))
NameRow = tuple[str, str | None] | tuple[str, str | tuple[str, ...] | None, str]


@dataclass(frozen=True)
class Head:
    """A head's rows of names, and its class in `transformers`."""

    architecture: str
    rows: tuple[NameRow, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)  # more of the family's `attribute_map`, for this head


@dataclass(frozen=True)
class Family:
    """The tables of a `model_type`: its values and names, without code."""

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
        """Return the key in config.json of each field of `Config` that config.json has, for a model with this head."""
        special = {**self.attribute_map, **(self.heads[head].config if head in self.heads else {})}  # type: ignore[index]
        names = (*COMMON_FIELDS, *(name for name in OPTIONAL_FIELDS if name in self.attribute_map))
        return {name: special.get(name, name) for name in names if name not in self.fixed}

    @property
    def base_head(self) -> str:
        """The head of the base model: BERT's pooler, or none."""
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
    """Return the `Config` for the contents of a `config.json`, of which `Config.extra` keeps all keys."""
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
    """Return a model's labels by index, with the names of `transformers` where config.json has only their number."""
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
    """Return the contents of `config.json` for a `Config`, as `transformers` reads them."""
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


@dataclass(frozen=True)
class MappedName:
    """A checkpoint's tensor, the model's names of its parts, and the operation between the two."""

    checkpoint_name: str
    model_names: tuple[str, ...]
    operation: str


def name_map(family: Family, config: Config, head: str | None) -> list[MappedName]:
    """Return the names of all tensors in a checkpoint of one model, with the model's names for each."""
    rows = family.heads[head].rows if head is not None and head in family.heads else ()
    return [*_expand_rows(family.rows, config, family.prefix), *_expand_rows(rows, config, "")]


def _expand_rows(rows: tuple[NameRow, ...], config: Config, prefix: str) -> Iterator[MappedName]:
    for name, target, *operation in rows:
        targets = target if isinstance(target, tuple) else (target,) if target is not None else ()
        stack = config.decoder or config if "".join(targets).startswith("decoder.") else config
        for i in range(stack.num_hidden_layers) if "{i}" in name + "".join(targets) else (0,):
            for end in ("weight", "bias") if "*" in name else ("",):
                filled = tuple(x.replace("{i}", str(i)).replace("*", end) for x in (prefix + name, *targets))
                yield MappedName(filled[0], filled[1:], operation[0] if operation else "")


def from_checkpoint(
    family: Family, config: Config, head: str | None, tensors: Mapping[str, Tensor], required: set[str]
) -> dict[str, Tensor]:
    """Return a checkpoint's tensors, named as by `normalize_names`, under the model's names, `required` ones at least.

    Raises:
        MissingHeadError: the checkpoint has the encoder but not the head.
        CheckpointError: a tensor is missing, unknown, or contradicts another.
    """
    table = name_map(family, config, head if _allows_head(family, config, head) else None)
    out: dict[str, Tensor] = {}
    for entry in sorted(table, key=lambda entry: entry.operation == "tie"):
        if (name := entry.checkpoint_name) not in tensors:
            continue
        tensor, count = _transpose(entry, tensors[name]), len(entry.model_names)
        if entry.operation.endswith("split"):
            if not tensor.dim() or len(tensor) % count:
                shape = tuple(tensor.shape)
                raise CheckpointError(*MESSAGES["no_split"].format(name=name, shape=shape, count=count))
            out.update(zip(entry.model_names, tensor.chunk(count), strict=True))
        else:
            for target in entry.model_names:
                if entry.operation == "tie" and target in out and not torch.equal(out[target], tensor):
                    raise CheckpointError(*MESSAGES["untied"].format(name=name, target=target))
                out[target] = tensor
    _check_names(family, config, head, tensors, sorted(required - out.keys()))
    return out


def _check_names(
    family: Family, config: Config, head: str | None, tensors: Mapping[str, Tensor], missing: Sequence[str]
) -> None:
    """Raise CheckpointError if a checkpoint lacks some of the model's tensors, `missing`, or has unknown ones."""
    if missing:
        names = {
            name: entry.checkpoint_name
            for entry in reversed(name_map(family, config, head))
            for name in entry.model_names
        }
        if all(name.startswith("head.") for name in missing):
            others = [h for h in family.heads if h not in BASE_HEADS and has_head(family, config, h, tensors)]
            raise _missing_head_error(head, names.get(missing[0], missing[0]), ", ".join(others))
        first = names.get(missing[0], missing[0])
        raise CheckpointError(*MESSAGES["incomplete"].format(count=len(missing), first=first))
    known = {entry.checkpoint_name for h in (None, *family.heads) for entry in name_map(family, config, h)}
    unknown = sorted(n for n in tensors.keys() - known if not any(n.endswith(end) for end in family.ignored))
    if unknown:
        problem, kind = MESSAGES["no_place"], config.model_type
        raise CheckpointError(*problem.format(count=len(unknown), kind=kind, first=unknown[0]))


def _missing_head_error(head: str | None, first: str, others: str) -> MissingHeadError:
    """Return the error for a missing head, whose first tensor is `first`; `others` are the heads in the checkpoint."""
    has = Message("it is a model without a head", "es un modelo sin cabeza")
    if others:
        has = Message(f"it has: {others}", f"tiene: {others}")
    new = EMPTY
    if str(head).endswith("classification"):
        new = Message(
            ", or start a new head, to be trained: AutoModelFor….from_pretrained(…, num_labels=)",
            ", o empieza una cabeza nueva, por entrenar: AutoModelFor….from_pretrained(…, num_labels=)",
        )
    return MissingHeadError(
        f"the checkpoint has no weights for a {head} head (no {first!r}); {has.en}. Name a checkpoint that was trained "
        f"for the task{new.en}.",
        f"el checkpoint no tiene pesos para una cabeza {head} (no hay {first!r}); {has.es}. Indica un checkpoint que "
        f"se haya entrenado para la tarea{new.es}.",
    )


def normalize_names(family: Family, config: Config, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a checkpoint's tensors with the family's prefix and PyTorch's LayerNorm names, if they lack them."""
    for old, new in (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")):  # TensorFlow's
        tensors = {name.replace(old, new): tensor for name, tensor in tensors.items()}
    if any(name.startswith(family.prefix) for name in tensors):
        return dict(tensors)
    names = {entry.checkpoint_name for head in (None, *BASE_HEADS) for entry in name_map(family, config, head)}
    return {family.prefix + k if family.prefix + k in names else k: v for k, v in tensors.items()}


def resolve_tying(family: Family, config: Config, tensors: Mapping[str, Tensor]) -> Config:
    """Return the configuration with `tie_word_embeddings` as the tensors have it.

    For T5 v1.1, `transformers` 5 writes that its two vocabularies are tied, and stores both.
    """
    rows = family.heads["seq2seq-lm"].rows if "seq2seq-lm" in family.heads else ()
    output = next((tensors.get(name) for name, target, *_ in rows if target == "head.output.weight"), None)
    shared = tensors.get(family.prefix + "shared.weight")
    if not config.tie_word_embeddings or output is None or shared is None or torch.equal(output, shared):
        return config
    return replace(config, tie_word_embeddings=False)


def has_head(family: Family, config: Config, head: str, tensors: Mapping[str, Tensor]) -> bool:
    """Return True if a checkpoint, named as by `normalize_names`, has every tensor of a head."""
    rows = _expand_rows(family.heads[head].rows, config, "")
    complete = all(entry.checkpoint_name in tensors for entry in rows if entry.operation != "tie")
    return complete and _allows_head(family, config, head)


def _allows_head(family: Family, config: Config, head: str | None) -> bool:
    """Return True unless the `architectures` of a checkpoint's config.json name only other heads.

    BERT's two classification heads have the same tensor name, `classifier`.
    """
    declared = declared_heads(family, config)
    return not declared or head in (*declared, *BASE_HEADS, None)


def declared_heads(family: Family, config: Config) -> list[str]:
    """Return the heads for a task in the `architectures` of config.json."""
    classes = config.extra.get("architectures") or ()
    return [name for name, head in family.heads.items() if name not in BASE_HEADS and head.architecture in classes]


def to_checkpoint(family: Family, config: Config, head: str | None, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a model's tensors under the names that `transformers` writes: the inverse of `from_checkpoint`."""
    out: dict[str, Tensor] = {}
    for entry in name_map(family, config, head):
        names, name = entry.model_names, entry.checkpoint_name
        if entry.operation == "tie" or not names or any(target not in tensors for target in names):
            continue
        if head in BASE_HEADS:  # a base model's tensors are written without the prefix
            name = name.removeprefix(family.prefix)
        tensor = torch.cat([tensors[target] for target in names]) if len(names) > 1 else tensors[names[0]]
        out[name] = _transpose(entry, tensor)
    return out


def _transpose(entry: MappedName, tensor: Tensor) -> Tensor:
    """Return a tensor transposed where the operation says so, which is its own inverse."""
    return tensor.transpose(0, -1) if entry.operation.startswith("transpose") else tensor
