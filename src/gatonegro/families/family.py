"""What a family is: how its `config.json` is spelled, and one table of its tensors' names.

A row of the table is `(name in the checkpoint, name in this house)` or the same with one operation:

- `"share"`: a second name of a tensor that is stored under another (tied embeddings, repeated biases). Read where
  the first name is missing, must agree where both are there, never written. The house name None stands for a
  tensor that means nothing to us (a saved buffer, an unused head).
- `"transpose"`: the checkpoint holds the matrix the other way round (GPT-2's Conv1D).
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

from gatonegro.checks import short
from gatonegro.config import MOST_LABELS, Config
from gatonegro.errors import CheckpointError, ConfigError, MissingHeadError
from gatonegro.i18n import Message, number

Row = tuple[str, str | None] | tuple[str, str | tuple[str, ...] | None, str]


@dataclass(frozen=True)
class Head:
    """A head's rows of the table, and the class of `transformers` that it answers to."""

    architecture: str
    rows: tuple[Row, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)  # as in Family, for this head alone


@dataclass(frozen=True)
class Family:
    """A `model_type`: values and names, no code of its own."""

    prefix: str  # of all tensors but the head's in a checkpoint with a head; absent in one without
    rows: tuple[Row, ...]
    heads: Mapping[str, Head]
    defaults: Mapping[str, Any]  # what the reference assumes where config.json is silent
    keys: Mapping[str, str] = field(default_factory=dict)  # our name → config.json's, where they differ
    fixed: Mapping[str, Any] = field(default_factory=dict)  # values that config.json does not spell
    ignored: tuple[str, ...] = ()  # tensors that may be there and say nothing
    refused: Mapping[str, Any] = field(default_factory=dict)  # key → the one value that is supported
    # key of config.json → each value it may have → what that means to us
    meanings: Mapping[str, Mapping[Any, Mapping[str, Any]]] = field(default_factory=dict)
    decoder_keys: Mapping[str, str] | None = None  # as `keys`, where an encoder–decoder's decoder has its own

    @property
    def bare(self) -> str:
        """The head of the model without a task: BERT's pooler, or nothing."""
        return "pooler" if "pooler" in self.heads else "none"


BARE = ("none", "pooler")  # heads of a model without a task

# Fields that every config.json spells as we do; labels have rules of their own below.
READ = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size", "hidden_act", "layer_norm_eps", "hidden_dropout_prob",
    "attention_probs_dropout_prob", "classifier_dropout", "initializer_range", "pad_token_id",
)  # fmt: skip
RARE = ("head_width", "relative_buckets", "relative_distance")  # read of the families whose `keys` name them
LABELS = ("id2label", "label2id", "num_labels", "problem_type")


def _read(family: Family) -> tuple[str, ...]:
    """The fields that a family's config.json spells."""
    return (*READ, *(name for name in RARE if name in family.keys))


def read_config(family: Family, data: Mapping[str, Any], head: str | None = None) -> Config:
    """`config.json` as a dict → `Config`. Unknown keys are carried along in `Config.extra`."""
    for key, value in family.refused.items():
        if data.get(key, value) != value:
            raise ConfigError(
                f"config.json: {key}={short(data[key])} is not supported here, only {value!r}.",
                f"config.json: {key}={short(data[key])} no se admite aquí, solo {value!r}.",
            )
    keys = {**family.keys, **(family.heads[head].config if head is not None and head in family.heads else {})}
    values: dict[str, Any] = {}
    for name in _read(family):
        if name in family.fixed:
            continue
        key = keys.get(name, name)
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
        values["intermediate_size"] = 4 * values["hidden_size"]  # GPT-2's may be null
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
        own = {name: data.get(key, family.defaults.get(key)) for name, key in family.decoder_keys.items()}
        own = {name: value for name, value in own.items() if value is not None}  # T5: as many layers as the encoder
        return replace(config, decoder=replace(config, cross_attention=True, **own))
    except (TypeError, AttributeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"config.json: a value is missing or of the wrong kind ({error}).",
            f"config.json: falta un valor, o es de un tipo equivocado ({error}).",
        ) from error


def _labels(data: Mapping[str, Any]) -> Mapping[Any, str]:
    """The names of a model's labels; as `transformers` calls them where config.json only says how many there are."""
    labels = data.get("id2label")
    if labels is None:
        count, most = data.get("num_labels", 2), number(MOST_LABELS)
        if not isinstance(count, int) or not 0 < count <= MOST_LABELS:
            raise ConfigError(
                f"config.json: num_labels must be from 1 to {most.en}, not {short(count)}.",
                f"config.json: num_labels debe ser un número de 1 a {most.es}, no {short(count)}.",
            )
        labels = {i: f"LABEL_{i}" for i in range(count)}
    if not isinstance(labels, Mapping) or not all(isinstance(label, str) for label in labels.values()):
        raise ConfigError(
            'config.json: id2label must be an object such as {"0": "NEG", "1": "POS"}.',
            'config.json: id2label debe ser un objeto como {"0": "NEG", "1": "POS"}.',
        )
    return labels


def write_config(family: Family, config: Config, head: str | None = None) -> dict[str, Any]:
    """`Config` → what `transformers` reads as `config.json`."""
    keys = {**family.keys, **(family.heads[head].config if head is not None and head in family.heads else {})}
    data = {k: v for k, v in config.extra.items() if k not in (*LABELS, "torch_dtype", "dtype")}
    for name in _read(family):
        if name not in family.fixed:
            key, value = keys.get(name, name), getattr(config, name)
            if name == "classifier_dropout" and value is None and key in family.defaults:
                value = config.hidden_dropout_prob  # DistilBERT cannot leave it to the rest of the model
            data[key] = value
    if "max_position_embeddings" not in family.fixed:
        data[keys.get("max_position_embeddings", "max_position_embeddings")] -= config.first_position
    for key, meaning in family.meanings.items():
        fits = (value for value, said in meaning.items() if all(getattr(config, n) == v for n, v in said.items()))
        data[key] = next(fits, data.get(key))
    for name, key in (family.decoder_keys or {}).items():
        data[key] = getattr(config.decoder, name)
    data["model_type"] = config.model_type
    if head is not None and head in family.heads:
        data["architectures"] = [family.heads[head].architecture]
    elif head in BARE:
        data["architectures"] = [family.heads[family.bare].architecture]
    data["id2label"] = {str(i): label for i, label in config.id2label.items()}
    data["label2id"] = config.label2id
    if config.problem_type:
        data["problem_type"] = config.problem_type
    return data


@dataclass(frozen=True)
class Link:
    """A row with its numbers filled in: which checkpoint tensor is which of ours, by what operation."""

    name: str
    ours: tuple[str, ...]
    operation: str


def links(family: Family, config: Config, head: str | None) -> list[Link]:
    """The family's whole table for one model, literally."""
    out = [*_expand(family.rows, config, family.prefix)]
    if head is not None and head in family.heads:
        out += _expand(family.heads[head].rows, config, "")
    return out


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
    """Checkpoint tensors, under `canonical` names → ours. `wanted` are the names that there must be.

    Raises:
        MissingHeadError: the encoder is there, the asked head is not.
        CheckpointError: a tensor is missing, unknown, or does not fit its twin.
    """
    table = links(family, config, head if _is_for(family, config, head) else None)
    out: dict[str, Tensor] = {}
    for link in sorted(table, key=lambda link: link.operation == "share"):
        if link.name not in tensors:
            continue
        tensor = tensors[link.name].T if link.operation.startswith("transpose") else tensors[link.name]
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
    """Refuse a checkpoint that lacks some of our tensors, `missing`, or has some that we have no place for."""
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
    """What to raise where a head's first tensor is not there; `there` are the heads that are."""
    has = Message("it is a model without a head", "es un modelo sin cabeza")
    if there:
        has = Message(f"it has: {there}", f"tiene: {there}")
    new = Message.same("")
    if str(head).endswith("classification"):
        new = Message(
            ", or begin a new head, to be trained: AutoModelFor….from_pretrained(…, num_labels=)",
            ", o empieza una cabeza nueva, por entrenar: AutoModelFor….from_pretrained(…, num_labels=)",
        )
    return MissingHeadError(
        f"the checkpoint has no weights for a {head} head (no {first!r}); {has.en}. Name a checkpoint that was trained "
        f"for the task{new.en}.",
        f"el checkpoint no tiene pesos para una cabeza {head} (no hay {first!r}); {has.es}. Indica un checkpoint que "
        f"se haya entrenado para la tarea{new.es}.",
    )


def canonical(family: Family, config: Config, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The checkpoint's tensors as a model with a head names them: with the family's prefix, LayerNorms as of now."""
    first_names = (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias"))  # TensorFlow's
    for old, new in first_names:
        tensors = {name.replace(old, new): tensor for name, tensor in tensors.items()}
    if any(name.startswith(family.prefix) for name in tensors):
        return dict(tensors)
    bare = {link.name for head in (None, *BARE) for link in links(family, config, head)}
    return {family.prefix + k if family.prefix + k in bare else k: v for k, v in tensors.items()}


def untied(family: Family, config: Config, tensors: Mapping[str, Tensor]) -> Config:
    """The configuration as the tensors have it: `transformers` 5 writes of T5 v1.1 that its two vocabularies are one,
    and stores both."""
    rows = family.heads["seq2seq-lm"].rows if "seq2seq-lm" in family.heads else ()
    own = next((tensors.get(name) for name, ours, *_ in rows if ours == "head.output.weight"), None)
    words = tensors.get(family.prefix + "shared.weight")
    if not config.tied or own is None or words is None or torch.equal(own, words):
        return config
    return replace(config, tied=False)


def has_head(family: Family, config: Config, head: str, tensors: Mapping[str, Tensor]) -> bool:
    """Whether every tensor of a head is there, under `canonical` names."""
    rows = _expand(family.heads[head].rows, config, "")
    there = all(link.name in tensors for link in rows if link.operation != "share")
    return there and _is_for(family, config, head)


def _is_for(family: Family, config: Config, head: str | None) -> bool:
    """Whether `architectures` in config.json leaves it open that the checkpoint has this head: BERT's two heads that
    classify have one name, `classifier`, and one must not be taken for the other."""
    named = heads_named(family, config)
    return not named or head in (*named, *BARE, None)


def heads_named(family: Family, config: Config) -> list[str]:
    """The heads for a task that `architectures` in config.json names."""
    said = config.extra.get("architectures") or ()
    return [name for name, known in family.heads.items() if name not in BARE and known.architecture in said]


def release(family: Family, config: Config, head: str | None, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Ours → checkpoint tensors, under the names that `transformers` writes. The inverse of `adopt`."""
    out: dict[str, Tensor] = {}
    for link in links(family, config, head):
        if link.operation == "share" or not link.ours or any(ours not in tensors for ours in link.ours):
            continue
        # the bare model's tensors are written without the prefix
        name = link.name.removeprefix(family.prefix) if head in BARE else link.name
        tensor = torch.cat([tensors[ours] for ours in link.ours]) if len(link.ours) > 1 else tensors[link.ours[0]]
        out[name] = tensor.T if link.operation.startswith("transpose") else tensor
    return out
