"""A family as data: the keys of its `config.json`, and one table of its tensors' names.

A row of the table is `(name in the checkpoint, our name)` or the same with one operation:

- `"share"`: a second name of a tensor that is stored under another (tied embeddings, repeated biases). It is read
  where the first name is missing, must be equal where both exist, and is never written. Our name None stands for a
  tensor that is not used (a saved buffer, an unused head).
- `"transpose"`: the checkpoint holds the matrix transposed (GPT-2's Conv1D); a bias stays as it is.
- `"split"`: one tensor of the checkpoint is several of ours, in equal parts along its first axis (fused Q, K, V).
- `"transpose split"`: first the one, then the other.

`{i}` stands for a layer's number, `*` for `weight` and `bias`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gatonegro.checks import short, whole
from gatonegro.config import MOST_LABELS, Config
from gatonegro.errors import CheckpointError, ConfigError, MissingHeadError
from gatonegro.i18n import EMPTY, Message

Row = tuple[str, str | None] | tuple[str, str | tuple[str, ...] | None, str]


@dataclass(frozen=True)
class Head:
    """A head's rows of the table, and the name of its class in `transformers`."""

    architecture: str
    rows: tuple[Row, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)  # as in Family, for this head alone


@dataclass(frozen=True)
class Family:
    """A `model_type`: values and names, no code."""

    prefix: str  # of all tensors but the head's in a checkpoint with a head; absent in one without
    rows: tuple[Row, ...]
    heads: Mapping[str, Head]
    defaults: Mapping[str, Any]  # the reference's values of keys that config.json lacks, where they are not Config's
    keys: Mapping[str, str] = field(default_factory=dict)  # our name → config.json's, where they differ
    fixed: Mapping[str, Any] = field(default_factory=dict)  # values that are not in config.json
    ignored: tuple[str, ...] = ()  # tensors that a checkpoint may have, and that are not used
    refused: Mapping[str, Any] = field(default_factory=dict)  # key → the one value that is supported
    # key of config.json → each value it may have → our values
    meanings: Mapping[str, Mapping[Any, Mapping[str, Any]]] = field(default_factory=dict)
    decoder_keys: Mapping[str, str] | None = None  # as `keys`, for values of an encoder–decoder's decoder

    def config_keys(self, head: str | None) -> dict[str, str]:
        """Return our name → config.json's key, of all values that config.json has for a model with this head."""
        special = {**self.keys, **(self.heads[head].config if head in self.heads else {})}  # type: ignore[index]
        names = (*READ, *(name for name in RARE if name in self.keys))
        return {name: special.get(name, name) for name in names if name not in self.fixed}

    @property
    def bare(self) -> str:
        """The head of the model without a task: BERT's pooler, or nothing."""
        return "pooler" if "pooler" in self.heads else "none"


BARE = ("none", "pooler")  # heads of a model without a task

# fields that every config.json has; labels have their own rules below
READ = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size", "hidden_act", "layer_norm_eps", "hidden_dropout_prob",
    "attention_probs_dropout_prob", "classifier_dropout", "initializer_range", "pad_token_id",
)  # fmt: skip
RARE = ("head_width", "relative_buckets", "relative_distance")  # fields of the families whose `keys` name them
LABELS = ("id2label", "label2id", "num_labels", "problem_type")


def read_config(family: Family, data: Mapping[str, Any], head: str | None = None) -> Config:
    """Return the `Config` of a `config.json` as a dict. Unknown keys are kept in `Config.extra`."""
    for key, value in family.refused.items():
        if data.get(key, value) != value:
            raise ConfigError(
                f"config.json: {key}={short(data[key])} is not supported here, only {value!r}.",
                f"config.json: {key}={short(data[key])} no se admite aquí, solo {value!r}.",
            )
    values: dict[str, Any] = {}
    for name, key in family.config_keys(head).items():
        value = data.get(key, family.defaults.get(key))
        if value is not None or key in data:
            values[name] = value
    classes = data.get("architectures")
    if classes is not None and not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise ConfigError(
            f"config.json: architectures must be a list of names, not {short(classes)}.",
            f"config.json: architectures debe ser una lista de nombres, no {short(classes)}.",
        )
    if values.get("intermediate_size") is None and isinstance(values.get("hidden_size"), int):
        values["intermediate_size"] = 4 * values["hidden_size"]  # GPT-2 leaves it null
    if isinstance(places := values.get("max_position_embeddings"), int):
        values["max_position_embeddings"] = places + family.fixed.get("first_position", 0)
    for key, meaning in family.meanings.items():
        value = data.get(key, family.defaults.get(key))
        if not isinstance(value, str | bool | None) or value not in meaning:
            known = ", ".join(map(repr, meaning))
            raise ConfigError(
                f"config.json: {key} is {short(value)}; known are {known}.",
                f"config.json: {key} es {short(value)}; se conocen {known}.",
            )
        values |= meaning[value]
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
        if family.decoder_keys is None:
            return config
        stored = ((name, data.get(key, family.defaults.get(key))) for name, key in family.decoder_keys.items())
        decoder = {name: value for name, value in stored if value is not None}  # T5: as many layers as the encoder
        return replace(config, decoder=replace(config, cross_attention=True, **decoder))
    except (TypeError, AttributeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"config.json: a value is missing or of the wrong kind ({error}).",
            f"config.json: falta un valor, o es de un tipo equivocado ({error}).",
        ) from error


def _labels(data: Mapping[str, Any]) -> Mapping[Any, str]:
    """Return the names of a model's labels: those of `transformers` where config.json only has their number."""
    labels = data.get("id2label")
    if labels is None:
        count, check = data.get("num_labels", 2), whole(1, MOST_LABELS)
        if not check.test(count):
            raise ConfigError(*check.message("num_labels", count)).within("config.json")
        labels = {i: f"LABEL_{i}" for i in range(count)}
    if not isinstance(labels, Mapping) or not all(isinstance(label, str) for label in labels.values()):
        raise ConfigError(
            'config.json: id2label must be an object such as {"0": "NEG", "1": "POS"}.',
            'config.json: id2label debe ser un objeto como {"0": "NEG", "1": "POS"}.',
        )
    return labels


def write_config(family: Family, config: Config, head: str | None = None) -> dict[str, Any]:
    """Return a `Config` as the `config.json` that `transformers` reads."""
    keys = family.config_keys(head)
    data = {k: v for k, v in config.extra.items() if k not in (*LABELS, "torch_dtype", "dtype")}
    for name, key in keys.items():
        data[key] = getattr(config, name)
    key = keys["classifier_dropout"]
    if data[key] is None and key in family.defaults:
        data[key] = config.hidden_dropout_prob  # DistilBERT's is a number
    if "max_position_embeddings" in keys:
        data[keys["max_position_embeddings"]] -= config.first_position
    for key, meaning in family.meanings.items():
        fits = (value for value, ours in meaning.items() if all(getattr(config, n) == v for n, v in ours.items()))
        data[key] = next(fits, data.get(key))
    for name, key in (family.decoder_keys or {}).items():
        data[key] = getattr(config.decoder, name)
    data["model_type"] = config.model_type
    if head in family.heads or head in BARE:
        data["architectures"] = [family.heads[head if head in family.heads else family.bare].architecture]  # type: ignore
    data["id2label"] = {str(i): label for i, label in config.id2label.items()}
    data["label2id"] = config.label2id
    if config.problem_type:
        data["problem_type"] = config.problem_type
    return data


@dataclass(frozen=True)
class Link:
    """A row for one layer: the name of a checkpoint's tensor, our names of its parts, and the operation."""

    name: str
    ours: tuple[str, ...]
    operation: str


def links(family: Family, config: Config, head: str | None) -> list[Link]:
    """Return the family's whole table for one model, a link per tensor."""
    rows = family.heads[head].rows if head is not None and head in family.heads else ()
    return [*_expand(family.rows, config, family.prefix), *_expand(rows, config, "")]


def _expand(rows: tuple[Row, ...], config: Config, prefix: str) -> Iterator[Link]:
    for name, ours, *operation in rows:
        targets = ours if isinstance(ours, tuple) else (ours,) if ours is not None else ()
        stack = config.decoder or config if "".join(targets).startswith("decoder.") else config
        for i in range(stack.num_hidden_layers) if "{i}" in name + "".join(targets) else (0,):
            for end in ("weight", "bias") if "*" in name else ("",):
                filled = tuple(x.replace("{i}", str(i)).replace("*", end) for x in (prefix + name, *targets))
                yield Link(filled[0], filled[1:], operation[0] if operation else "")


def adopt(
    family: Family, config: Config, head: str | None, tensors: Mapping[str, Tensor], wanted: set[str]
) -> dict[str, Tensor]:
    """Return a checkpoint's tensors, which have `canonical` names, under ours. `wanted` are names that must be there.

    Raises:
        MissingHeadError: the encoder is there, the head is not.
        CheckpointError: a tensor is missing, unknown, or contradicts another.
    """
    table = links(family, config, head if _is_for(family, config, head) else None)
    out: dict[str, Tensor] = {}
    for link in sorted(table, key=lambda link: link.operation == "share"):
        if link.name not in tensors:
            continue
        tensor = _transposed(link, tensors[link.name])
        if link.operation.endswith("split"):
            if not tensor.dim() or len(tensor) % len(link.ours):
                raise CheckpointError(
                    f"tensor {link.name!r} of shape {tuple(tensor.shape)} does not split into {len(link.ours)} parts.",
                    f"el tensor {link.name!r} de forma {tuple(tensor.shape)} no se divide en {len(link.ours)} partes.",
                )
            out.update(zip(link.ours, tensor.chunk(len(link.ours)), strict=True))
        else:
            for ours in link.ours:
                if link.operation == "share" and ours in out and not torch.equal(out[ours], tensor):
                    raise CheckpointError(
                        f"tensor {link.name!r} should be the same as the one stored for {ours!r}, but differs; "
                        "untied weights are not supported.",
                        f"el tensor {link.name!r} debería ser igual que el guardado para {ours!r}, pero es "
                        "distinto; no se admiten pesos sin compartir.",
                    )
                out[ours] = tensor
    _check_all(family, config, head, tensors, sorted(wanted - out.keys()))
    return out


def _check_all(
    family: Family, config: Config, head: str | None, tensors: Mapping[str, Tensor], missing: Sequence[str]
) -> None:
    """Refuse a checkpoint that lacks some of our tensors, `missing`, or has unknown ones."""
    if missing:
        names = {ours: link.name for link in reversed(links(family, config, head)) for ours in link.ours}
        if all(name.startswith("head.") for name in missing):
            there = [h for h in family.heads if h not in BARE and has_head(family, config, h, tensors)]
            raise _missing_head(head, names.get(missing[0], missing[0]), ", ".join(there))
        first = names.get(missing[0], missing[0])
        raise CheckpointError(
            f"the checkpoint lacks {len(missing)} of the model's tensors, the first {first!r}; it is incomplete, "
            "or its config.json belongs to another model.",
            f"al checkpoint le faltan {len(missing)} de los tensores del modelo, el primero {first!r}; está "
            "incompleto, o su config.json es de otro modelo.",
        )
    known = {link.name for h in (None, *family.heads) for link in links(family, config, h)}
    unknown = sorted(n for n in tensors.keys() - known if not any(n.endswith(end) for end in family.ignored))
    if unknown:
        raise CheckpointError(
            f"the checkpoint has {len(unknown)} tensors that a {config.model_type} model has no place for, the "
            f"first {unknown[0]!r}; its config.json belongs to another model, or it is of another architecture.",
            f"el checkpoint tiene {len(unknown)} tensores que no caben en un modelo {config.model_type}, el "
            f"primero {unknown[0]!r}; su config.json es de otro modelo, o es de otra arquitectura.",
        )


def _missing_head(head: str | None, first: str, there: str) -> MissingHeadError:
    """Return the error of a head whose `first` tensor is not there; `there` are the heads that are."""
    has = Message("it is a model without a head", "es un modelo sin cabeza")
    if there:
        has = Message(f"it has: {there}", f"tiene: {there}")
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


def canonical(family: Family, config: Config, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a checkpoint's tensors under the names of a model with a head: with the family's prefix, and LayerNorms
    as PyTorch names them."""
    for old, new in (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")):  # TensorFlow's
        tensors = {name.replace(old, new): tensor for name, tensor in tensors.items()}
    if any(name.startswith(family.prefix) for name in tensors):
        return dict(tensors)
    bare = {link.name for head in (None, *BARE) for link in links(family, config, head)}
    return {family.prefix + k if family.prefix + k in bare else k: v for k, v in tensors.items()}


def untied(family: Family, config: Config, tensors: Mapping[str, Tensor]) -> Config:
    """Return the configuration with `tied` as the tensors have it: `transformers` 5 writes for T5 v1.1 that its two
    vocabularies are tied, and stores both."""
    rows = family.heads["seq2seq-lm"].rows if "seq2seq-lm" in family.heads else ()
    output = next((tensors.get(name) for name, ours, *_ in rows if ours == "head.output.weight"), None)
    words = tensors.get(family.prefix + "shared.weight")
    if not config.tied or output is None or words is None or torch.equal(output, words):
        return config
    return replace(config, tied=False)


def has_head(family: Family, config: Config, head: str, tensors: Mapping[str, Tensor]) -> bool:
    """Return whether every tensor of a head is there, under `canonical` names."""
    rows = _expand(family.heads[head].rows, config, "")
    there = all(link.name in tensors for link in rows if link.operation != "share")
    return there and _is_for(family, config, head)


def _is_for(family: Family, config: Config, head: str | None) -> bool:
    """Return whether the checkpoint may have this head by the `architectures` of its config.json: the tensors of
    BERT's two heads that classify have one name, `classifier`."""
    named = heads_named(family, config)
    return not named or head in (*named, *BARE, None)


def heads_named(family: Family, config: Config) -> list[str]:
    """Return the heads for a task that `architectures` in config.json names."""
    classes = config.extra.get("architectures") or ()
    return [name for name, head in family.heads.items() if name not in BARE and head.architecture in classes]


def release(family: Family, config: Config, head: str | None, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return our tensors as a checkpoint's, under the names that `transformers` writes. The inverse of `adopt`."""
    out: dict[str, Tensor] = {}
    for link in links(family, config, head):
        if link.operation == "share" or not link.ours or any(ours not in tensors for ours in link.ours):
            continue
        # the bare model's tensors are written without the prefix
        name = link.name.removeprefix(family.prefix) if head in BARE else link.name
        tensor = torch.cat([tensors[ours] for ours in link.ours]) if len(link.ours) > 1 else tensors[link.ours[0]]
        out[name] = _transposed(link, tensor)
    return out


def _transposed(link: Link, tensor: Tensor) -> Tensor:
    """Return a checkpoint's tensor as ours, or ours as the checkpoint's."""
    return tensor.transpose(0, -1) if link.operation.startswith("transpose") else tensor
