"""Conversion of tensors between the names in a checkpoint and the names in the model, by a `Family`'s tables.

Tensors are of PyTorch, or arrays of numpy and `checkpoints.Int8Rows`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain, groupby
from typing import Any, NamedTuple

import numpy as np

from gatonegro.checkpoints import as_float32
from gatonegro.config import Config
from gatonegro.errors import CheckpointError, MissingHeadError
from gatonegro.families.family import BASE_HEADS, MESSAGES, Family, NameRow
from gatonegro.i18n import EMPTY

CHUNK = 4096  # rows that are compared at a time, which saves memory


class MappedName(NamedTuple):
    """A tensor's name in a checkpoint, its name or names in the model, and the operation that converts it."""

    checkpoint_name: str
    model_names: tuple[str, ...]
    operation: str = ""


def name_map(family: Family, config: Config, head: str | None) -> list[MappedName]:
    """Return a `MappedName` for each tensor of a model's checkpoint: its name there and its names in the model."""
    rows = family.heads[head].rows if head is not None and head in family.heads else ()
    return [*_expand(family.rows, config, family.prefix), *_expand(rows, config)]


def _expand(rows: tuple[NameRow, ...], config: Config, prefix: str = "") -> tuple[MappedName, ...]:
    return _expand_rows(rows, config.num_hidden_layers, (config.decoder or config).num_hidden_layers, prefix)


@lru_cache(maxsize=16)  # loading a model asks for the same rows several times
def _expand_rows(rows: tuple[NameRow, ...], layers: int, decoder_layers: int, prefix: str) -> tuple[MappedName, ...]:
    out = []
    for repeated, of_stack in groupby(rows, lambda row: row[0].partition("{i}")[0] if "{i}" in str(row[:2]) else ""):
        group = []
        for name, target, *operation in of_stack:
            targets = target if isinstance(target, tuple) else (target,) if target is not None else ()
            for end in ("weight", "bias") if "*" in name else ("",):
                names = [x.replace("*", end) for x in (prefix + name, *targets)]
                group.append(MappedName(names[0], tuple(names[1:]), "".join(operation)))
        count = decoder_layers if "".join(group[0].model_names).startswith("decoder.") else layers
        for i in range(count) if repeated else (0,):  # layer by layer, as in `transformers`
            for name, targets, what in group:
                if what != "first" or i == 0:
                    filled = tuple([target.replace("{i}", str(i)) for target in targets])
                    out.append(MappedName(name.replace("{i}", str(i)), filled, what.removeprefix("first")))
    return tuple(out)


def from_checkpoint(
    family: Family, config: Config, head: str | None, tensors: Mapping[str, Any], required: set[str]
) -> dict[str, Any]:
    """Convert a checkpoint's tensors to the model's names, after checking that they are complete and consistent.

    The checkpoint's names are those of `normalize_names`; the result must have all names in `required`.

    Raises:
        MissingHeadError: the checkpoint has the encoder but not the head.
        CheckpointError: a tensor is missing, unknown, or contradicts another.
    """
    out = to_model_names(name_map(family, config, head if _allows_head(family, config, head) else None), tensors)
    _check_names(family, config, head, tensors, sorted(required - out.keys()))
    return out


def to_model_names(table: Sequence[MappedName], tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a checkpoint's tensors that are in the table, by the model's names."""
    out: dict[str, Any] = {}
    for entry in sorted(table, key=lambda entry: entry.operation == "tie"):
        if (name := entry.checkpoint_name) not in tensors:
            continue
        tensor, count = _transpose(entry, tensors[name]), len(entry.model_names)
        if entry.operation.endswith("split"):
            if not tensor.ndim or len(tensor) % count:
                raise CheckpointError(*MESSAGES["no_split"].format(name=name, shape=tuple(tensor.shape), count=count))
            size = len(tensor) // count
            out |= {target: tensor[i * size : (i + 1) * size] for i, target in enumerate(entry.model_names)}
        else:
            for target in entry.model_names:
                if entry.operation == "tie" and target in out and not _equal(out[target], tensor):
                    raise CheckpointError(*MESSAGES["untied"].format(name=name, target=target))
                out[target] = tensor
    return out


def _equal(a: Any, b: Any) -> bool:
    """Return True if two tensors or arrays have the same shape and numbers."""
    if a is b or tuple(a.shape) != tuple(b.shape):
        return a is b
    if not isinstance(a, np.ndarray) and hasattr(a, "equal"):  # of PyTorch
        return bool(a.equal(b))
    if not a.ndim:
        return np.array_equal(as_float32(a), as_float32(b))
    parts = (slice(i, i + CHUNK) for i in range(0, len(a), CHUNK))
    return all(np.array_equal(as_float32(a[part]), as_float32(b[part])) for part in parts)


def _check_names(
    family: Family, config: Config, head: str | None, tensors: Mapping[str, Any], missing: Sequence[str]
) -> None:
    """Raise CheckpointError if a checkpoint lacks tensors that the model needs, or has unknown ones."""
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
    expected = _known_names(family, config)
    unknown = sorted(n for n in tensors.keys() - expected if not n.endswith(family.ignored))
    if unknown:
        problem, kind = MESSAGES["no_place"], config.model_type
        raise CheckpointError(*problem.format(count=len(unknown), kind=kind, first=unknown[0]))


def _known_names(family: Family, config: Config) -> set[str]:
    rows = (_expand(head.rows, config) for head in family.heads.values())
    table = chain(_expand(family.rows, config, family.prefix), *rows)
    return {entry.checkpoint_name for entry in table}


def without_other_heads(family: Family, config: Config, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checkpoint's tensors without those of heads that the family's table lacks."""
    trunk = (family.prefix,) if family.prefix else tuple({f"{name.partition('.')[0]}." for name, *_ in family.rows})
    known = _known_names(family, config)
    return {name: tensor for name, tensor in tensors.items() if name in known or name.startswith(trunk)}


def _missing_head_error(head: str | None, first: str, others: str) -> MissingHeadError:
    """Return the error for a checkpoint without the tensors of a head, which lists the heads that it has."""
    has = MESSAGES["heads" if others else "no_head"].format(heads=others)
    new = MESSAGES["new_head"] if str(head).endswith("classification") else EMPTY
    return MissingHeadError(*MESSAGES["missing_head"].format(head=head, first=first, has=has, new=new))


def normalize_names(family: Family, config: Config, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checkpoint's tensors with the family's prefix, such as "bert.", and PyTorch's names of layer norms."""
    for old, new in (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")):  # TensorFlow's
        tensors = {name.replace(old, new): tensor for name, tensor in tensors.items()}
    if any(name.startswith(family.prefix) for name in tensors):
        return dict(tensors)
    names = {entry.checkpoint_name for head in (None, *BASE_HEADS) for entry in name_map(family, config, head)}
    return {family.prefix + k if family.prefix + k in names else k: v for k, v in tensors.items()}


def resolve_tying(family: Family, config: Config, tensors: Mapping[str, Any]) -> Config:
    """Return the configuration with `tie_word_embeddings=False` if input and output embeddings differ.

    For T5 v1.1, `transformers` 5 writes that its two vocabularies are tied, and stores both.
    """
    rows = family.heads["seq2seq-lm"].rows if "seq2seq-lm" in family.heads else ()
    output = next((tensors.get(name) for name, target, *_ in rows if target == "head.output.weight"), None)
    shared = tensors.get(family.prefix + "shared.weight")
    if not config.tie_word_embeddings or output is None or shared is None or _equal(output, shared):
        return config
    return config.replace(tie_word_embeddings=False)


def has_head(family: Family, config: Config, head: str, tensors: Mapping[str, Any]) -> bool:
    """Return True if a checkpoint, after `normalize_names`, has all tensors of the given head."""
    rows = _expand(family.heads[head].rows, config)
    complete = all(entry.checkpoint_name in tensors for entry in rows if entry.operation != "tie")
    return complete and _allows_head(family, config, head)


def _allows_head(family: Family, config: Config, head: str | None) -> bool:
    """Return True unless the `architectures` in a checkpoint's config.json declare only heads for other tasks.

    BERT's two classification heads have the same tensor name, `classifier`.
    """
    declared = declared_heads(family, config)
    return not declared or head in (*declared, *BASE_HEADS, None)


def declared_heads(family: Family, config: Config) -> list[str]:
    """Return the task heads, such as "seq2seq-lm", that the `architectures` in config.json declare."""
    classes = config.extra.get("architectures") or ()
    return [name for name, head in family.heads.items() if name not in BASE_HEADS and head.architecture in classes]


def saved_names(family: Family, config: Config, head: str | None) -> list[MappedName]:
    """Return the names of `name_map` as `transformers` writes them: a base model's have no prefix."""
    prefix = family.prefix if head in BASE_HEADS else ""
    rows = name_map(family, config, head)
    return [row._replace(checkpoint_name=row.checkpoint_name.removeprefix(prefix)) for row in rows]


def to_checkpoint(family: Family, config: Config, head: str | None, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a model's tensors to the names that `transformers` writes, the inverse of `from_checkpoint`."""
    table = saved_names(family, config, head)
    return to_checkpoint_names([entry for entry in table if entry.operation != "tie"], tensors)


def to_checkpoint_names(table: Sequence[MappedName], tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a model's tensors that are in the table, by the names in a checkpoint."""
    import torch

    out: dict[str, Any] = {}
    for entry in table:
        if (names := entry.model_names) and all(target in tensors for target in names):
            tensor = torch.cat([tensors[target] for target in names]) if len(names) > 1 else tensors[names[0]]
            out[entry.checkpoint_name] = _transpose(entry, tensor)
    return out


def _transpose(entry: MappedName, tensor: Any) -> Any:
    """Transpose a tensor if its conversion between checkpoint and model includes the operation "transpose"."""
    return tensor.T if tensor.ndim == 2 and entry.operation.startswith("transpose") else tensor
