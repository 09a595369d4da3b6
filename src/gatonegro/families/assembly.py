"""A checkpoint's tensors by the model's names: the shapes that a configuration asks for, and tensors checked by them.

Tensors are of PyTorch, or arrays of numpy and `checkpoints.Int8Rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gatonegro.checkpoints import FLOAT_DTYPES, dtype_name
from gatonegro.config import Config, check_activation
from gatonegro.errors import CheckpointError, MissingHeadError
from gatonegro.families import family_of
from gatonegro.families.conversion import (
    from_checkpoint,
    has_head,
    name_map,
    normalize_names,
    resolve_tying,
    saved_names,
    without_other_heads,
)
from gatonegro.families.family import BASE_HEADS, MESSAGES

Shapes = dict[str, tuple[int, ...]]


class Assembled(NamedTuple):
    """A model's configuration, head and tensors."""

    config: Config
    head: str
    state: dict[str, Any]  # by the model's names
    new: list[str]  # names of tensors that the checkpoint lacks, which are to be initialised


def assemble(
    config: Config,
    head: str,
    tensors: Mapping[str, Any],
    *,
    fresh_head: bool = False,
    ignore_sizes: bool = False,
    info: dict[str, Any] | None = None,
) -> Assembled:
    """Return a model's tensors from those of a checkpoint; raise an error for tensors that do not fit.

    Args:
        config: the model's configuration.
        head: its task head; "pooler" for a base model, with a pooler where the checkpoint has one.
        tensors: the checkpoint's tensors by name.
        fresh_head: the checkpoint may lack the head.
        ignore_sizes: it may have tensors of another shape, which are left out.
        info: receives the names of tensors that are not as expected.

    Raises:
        MissingHeadError: the family or the checkpoint has no such head.
        ConfigError: values of the configuration exclude each other.
        CheckpointError: tensors are missing, unknown, of another shape, or no weights.
    """
    family = family_of(config.model_type)
    if head not in (*BASE_HEADS, *family.heads):
        known = ", ".join(name for name in family.heads if name not in BASE_HEADS)
        raise MissingHeadError(*MESSAGES["unknown_head"].format(model_type=config.model_type, head=head, known=known))
    layers = config.num_hidden_layers + (config.decoder.num_hidden_layers if config.decoder else 0)
    if layers > len(tensors):  # before they are built
        raise CheckpointError(*MESSAGES["few_tensors"].format(layers=layers, count=len(tensors)))
    stored = tensors.keys()
    tensors = normalize_names(family, config, tensors)
    if head == "pooler" and not ("pooler" in family.heads and has_head(family, config, "pooler", tensors)):
        head = "none"  # BERT's pooler is optional
    config = resolve_tying(family, config, tensors)
    config.check()
    check_activation(config.hidden_act)
    shapes = expected_shapes(config, head)
    required = {name for name in shapes if not (fresh_head and name.startswith("head."))}
    own = without_other_heads(family, config, tensors) if fresh_head or head in BASE_HEADS else tensors
    state = from_checkpoint(family, config, head, own, required)
    state = {name: tensor for name, tensor in state.items() if name in shapes}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    wrong = {name for name, shape in found.items() if shape != shapes[name]}
    for name, tensor in state.items():
        if (dtype := dtype_name(tensor)) not in FLOAT_DTYPES:
            raise CheckpointError(*MESSAGES["weight_dtype"].format(name=name, dtype=dtype))
        if name in wrong and not ignore_sizes:
            problem = MESSAGES["other_labels" if fresh_head and name.startswith("head.") else "weight_shape"]
            raise CheckpointError(*problem.format(name=name, shape=found[name], wanted=shapes[name]))
    if info is not None:
        names = {n: entry.checkpoint_name for entry in reversed(saved_names(family, config, head)) for n in entry[1]}
        others = tensors.keys() - {entry.checkpoint_name for entry in name_map(family, config, head)}
        others = {n for n in others if not n.endswith(family.ignored)}
        info["missing_keys"] = {names[name] for name in shapes.keys() - state.keys()}
        info["unexpected_keys"] = {n if n in stored else n.removeprefix(family.prefix) for n in others}
        info["mismatched_keys"] = {(names[n], found[n], shapes[n]) for n in wrong}
        info["error_msgs"] = []
    state = {name: tensor for name, tensor in state.items() if name not in wrong}
    return Assembled(config, head, state, [name for name in shapes if name not in state])


def expected_shapes(config: Config, head: str) -> Shapes:
    """Return the shape of each tensor of a model with a given head, or "none", by the model's names."""
    generates = not {"seq2seq-lm", "causal-lm"}.isdisjoint(family_of(config.model_type).heads)
    shapes = _embeddings("embeddings", config, {"tokens.weight": (config.vocab_size, config.hidden_size)})
    if config.decoder is not None or not generates:
        shapes |= _stack("encoder", config)
    if config.decoder is not None:
        shapes |= _embeddings("decoder_embeddings", config.decoder, {})
    if generates:
        shapes |= _stack("decoder", config.decoder or config)
    return shapes | {f"head.{name}": shape for name, shape in _head(config, head).items()}


def _embeddings(name: str, config: Config, shapes: Shapes) -> Shapes:
    size = config.hidden_size
    if config.position_embedding == "learned":
        shapes["positions.weight"] = config.num_positions, size
    if config.type_vocab_size:
        shapes["token_types.weight"] = config.type_vocab_size, size
    if config.embedding_norm:
        shapes |= _norm("norm", config)
    return {f"{name}.{key}": shape for key, shape in shapes.items()}


def _stack(name: str, config: Config) -> Shapes:
    """Return the shapes of the encoder or the decoder."""
    shapes: Shapes = {}
    if config.relative_attention_num_buckets:
        shapes[f"{name}.relative.scores.weight"] = config.relative_attention_num_buckets, config.num_attention_heads
    for i in range(config.num_hidden_layers):
        shapes |= {f"{name}.layers.{i}.{key}": shape for key, shape in _layer(config.layer(i), name).items()}
    return shapes | (_norm(f"{name}.norm", config) if config.final_norm else {})


def _layer(config: Config, stack: str) -> Shapes:
    size, inner, wide = config.hidden_size, config.num_attention_heads * config.head_dim, config.feed_forward_size
    shapes: Shapes = {}
    crossed = stack == "decoder" and config.add_cross_attention
    for attention in ("attention", "cross_attention") if crossed else ("attention",):
        for part in ("query", "key", "value"):
            shapes |= _linear(f"{attention}.{part}", size, inner, config.bias)
        shapes |= _linear(f"{attention}.output", inner, size, config.bias) | _norm(f"{attention}_add.norm", config)
    for part in ("gate", "value") if config.is_gated_act else ("up",):
        shapes |= _linear(f"feed_forward.{part}", size, wide, config.bias)
    return shapes | _linear("feed_forward.down", wide, size, config.bias) | _norm("feed_forward_add.norm", config)


def _head(config: Config, head: str) -> Shapes:
    size, vocab = config.hidden_size, config.vocab_size
    dense = _linear("dense", size, size)
    if head in ("seq2seq-lm", "causal-lm"):
        bias: Shapes = {"bias": (1, vocab)} if config.lm_head_bias else {}
        return bias | ({} if config.tie_word_embeddings else {"output.weight": (vocab, size)})
    return {
        "pooler": dense,
        "sequence-classification": dense | _linear("output", size, config.num_labels),
        "token-classification": _linear("output", size, config.num_labels),
        "question-answering": _linear("output", size, 2),
        "masked-lm": {"bias": (vocab,), **dense, "norm.weight": (size,), "norm.bias": (size,)},
    }.get(head, {})


def _linear(name: str, inputs: int, outputs: int, bias: bool = True) -> Shapes:
    weight: Shapes = {f"{name}.weight": (outputs, inputs)}
    return weight | {f"{name}.bias": (outputs,)} if bias else weight


def _norm(name: str, config: Config) -> Shapes:
    weight: Shapes = {f"{name}.weight": (config.hidden_size,)}
    return weight | {f"{name}.bias": (config.hidden_size,)} if config.norm == "layer" else weight
