"""The encoder of a Transformer and its heads in numpy: the forward pass of every family that this library reads.

Read it beside "Attention is all you need", https://arxiv.org/abs/1706.03762, whose sections the docstrings name. The
sequences of a batch lie end to end without padding, so that a single sentence is a batch of one: `packed` has the ids
and positions (t,) of their tokens, and `layout` how many queries and keys each sequence has. Where families differ, a
value of `Config` says how.

Shapes: t tokens of n sequences, h attention heads of width d; hidden is the width of a token's vector, and wide the
width inside a feed-forward network. `w` has the weights: `w / "attention"` are those of a part, and
`w.linear(x, "query")` is x·Wᵀ + b with the matrix and the vector of that name. Hidden states may be bf16, which numpy
lacks: `cast`, `to_fp32` and `multiply` see to that (operators/arrays.py), and do nothing special in fp32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gatonegro.config import Config
from gatonegro.native.positions import relative_bias, sinusoids
from gatonegro.native.weights import Weights
from gatonegro.operators import attend, multiply
from gatonegro.operators.arrays import cast, to_fp32
from gatonegro.operators.plain import attention_probs
from gatonegro.packing import Layout, Packed

Array = np.ndarray
KV = tuple[Array, Array]  # keys and values, (u, h, d) each


def encode(w: Weights, config: Config, packed: Packed) -> Array:
    """Return a vector (t, hidden) for each token, which depends on all tokens of its sequence. §3.1."""
    x = embed(w / "embeddings", config, packed)  # (t, hidden)
    w = w / "encoder"
    x, position_bias = cast(x, w.dtype), relative_bias(w, config, packed.layout)
    for i in range(config.num_hidden_layers):  # config.layer(i): the values of that layer, where layers differ
        x = encoder_layer(w / f"layers.{i}", config.layer(i), x, packed.layout, position_bias)  # (t, hidden)
    return to_fp32(w.norm(x, "norm", config.layer_norm_eps) if config.final_norm else x)  # (t, hidden)


def embed(w: Weights, config: Config, packed: Packed) -> Array:
    """Add up the vectors (t, hidden) of each token's id, of its position and of its type. §3.4, §3.5."""
    x = w.rows("/embeddings.tokens", packed.ids)  # (t, hidden); "/": of the model, whose decoder has the same table
    if config.scale_embedding:
        x = x * config.hidden_size**0.5
    if config.position_embedding == "learned":
        x = x + w.rows("positions", packed.positions)
    elif config.position_embedding == "sinusoid":
        x = x + sinusoids(config.num_positions, config.hidden_size)[packed.positions]
    if config.type_vocab_size:  # whether a token is of the first or the second text of a pair
        types = np.zeros_like(packed.ids) if packed.token_types is None else packed.token_types
        x = x + w.rows("token_types", types)
    elif packed.token_types is not None and config.decoder_only:  # GPT-2's types are tokens
        x = x + w.rows("/embeddings.tokens", packed.token_types)
    return w.norm(x, "norm", config.layer_norm_eps) if config.embedding_norm else x  # (t, hidden)


def encoder_layer(w: Weights, config: Config, x: Array, layout: Layout, position_bias: Array | None) -> Array:
    """Apply self-attention and then the feed-forward network, each with a residual connection and a norm. §3.1."""
    x = add_norm(w, "attention", config, x, attention, layout, position_bias=position_bias)  # (t, hidden)
    return add_norm(w, "feed_forward", config, x, feed_forward)  # (t, hidden)


def add_norm(
    w: Weights, name: str, config: Config, x: Array, sublayer: Callable[..., Array], *args: Any, **options: Any
) -> Array:
    """Return norm(x + f(x)) for a sublayer f or, where the norm comes first, x + f(norm(x)). §3.1.

    `sublayer(weights, config, x, residual, …)` returns f(x) + residual: its last product adds as it writes.
    """
    norm, eps = f"{name}_add.norm", config.layer_norm_eps
    if config.pre_norm:
        return sublayer(w / name, config, w.norm(x, norm, eps), x, *args, **options)  # (t, hidden)
    return w.norm(sublayer(w / name, config, x, x, *args, **options), norm, eps)  # (t, hidden)


def attention(
    w: Weights,
    config: Config,
    x: Array,  # (t, hidden)
    residual: Array,  # (t, hidden)
    layout: Layout,
    *,
    causal: bool = False,
    position_bias: Array | None = None,
    memory_kv: KV | None = None,
    cache: Any = None,
    recorded: list[Array] | None = None,
) -> Array:
    """Return softmax(q·kᵀ/√d)·v of each head, multiplied by one more matrix, plus the residual (t, hidden). §3.2.

    Each token's query q is compared with the keys k of its sequence, and gathers their values v; with `causal`, none
    with those of later tokens. `operators.plain.attend` is that in numpy. Keys and values are of the same tokens, or
    those of a memory; a `cache` adds the ones of earlier tokens. `recorded` gets the softmax (h, q, k) over a memory.
    """
    if memory_kv is None:
        q, k, v = split_heads(w.linear(x, "query", "key", "value"), 3, config)  # one product, cut into three
        if layout.key_rows is not None:  # a hidden first token of a padded batch asks, and is not seen
            k, v = k[layout.key_rows], v[layout.key_rows]  # (u, h, d)
        if cache is not None:
            k, v = cache.update(k, v)
    else:
        (q,) = split_heads(w.linear(x, "query"), 1, config)
        k, v = memory_kv
    scale = config.attention_scale  # None: 1/√d
    if recorded is not None:  # of a single text; `attend` keeps no probabilities
        recorded.append(attention_probs(to_fp32(q), to_fp32(k), scale=scale))
    places = layout.query_lengths, layout.key_lengths, layout.key_slots  # slots: rows of k and v, in a cache
    context = attend(q, k, v, *places, causal=causal, scale=scale, bias=position_bias)  # (t, h, d)
    context = context.reshape(len(x), config.num_attention_heads * config.head_dim)  # the heads side by side
    return w.linear(context, "output", residual=residual)  # (t, hidden)


def split_heads(x: Array, parts: int, config: Config) -> list[Array]:
    """Cut vectors (t, parts · h · d) into `parts` arrays (t, h, d)."""
    x = x.reshape(len(x), parts, config.num_attention_heads, config.head_dim)  # (t, parts, h, d)
    return [x[:, part] for part in range(parts)]


def feed_forward(w: Weights, config: Config, x: Array, residual: Array) -> Array:
    """Return act(x·W₁ + b₁)·W₂ + b₂ of each token by itself, plus the residual (t, hidden). §3.3."""
    act = config.hidden_act
    if config.is_gated_act:  # https://arxiv.org/abs/2002.05202
        y = multiply(w.linear(x, "gate", act=act), w.linear(x, "value"))  # (t, wide)
        return w.linear(y, "down", residual=residual)  # (t, hidden)
    y = w.linear(x, "up", act=act)  # (t, wide)
    return w.linear(y, "down", residual=residual, input_act=act)  # (t, hidden); int8 has to know what made y


def head(w: Weights, config: Config, kind: str, x: Array, packed: Packed) -> Array:
    """Return what the head of a task reads from hidden states x (t, hidden): a row per sequence or per token.

    Sequences are read at their first token or, by a decoder, at their last, which has seen all others.
    """
    w = w / "head"
    if kind in ("pooler", "sequence-classification"):
        x = x[packed.first_tokens if config.decoder is None else packed.last_tokens]  # (n, hidden)
    if kind == "pooler":  # BERT's, which was trained on pairs of sentences
        return w.linear(x, "dense", act="tanh")  # (n, hidden)
    if kind == "sequence-classification":
        x = w.linear(x, "dense", act=config.classifier_act)  # (n, hidden)
    if kind == "masked-lm":
        x = w.norm(w.linear(x, "dense", act=config.hidden_act), "norm", config.layer_norm_eps)  # (t, hidden)
        return w.linear(x, "/embeddings.tokens", bias="bias")  # (t, vocab): how alike x is to each token's vector
    return w.linear(x, "output")  # (n or t, labels); of question answering: start and end of an answer
