"""The decoder of a Transformer in numpy: it writes a text token by token, and looks only at what it has written.

With an encoder it also attends to the encoder's output, the memory. The parts are those of `encoder`, with the same
shapes; u is the number of tokens of the memory, or of those in a cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gatonegro.config import Config
from gatonegro.native.encoder import KV, Array, add_norm, attention, embed, feed_forward, split_heads
from gatonegro.native.positions import relative_bias
from gatonegro.native.weights import Weights
from gatonegro.operators.arrays import FP32, cast, to_fp32
from gatonegro.packing import Layout, Packed


class KVCache:
    """The keys and values that a layer computed for all tokens so far, so that none is computed twice.

    Each token has a slot, a row of them. `Layout.key_slots` lists the slots of each text, so that texts can end or
    change places while keys and values stay; `select` drops the slots of texts that ended.
    """

    def __init__(self) -> None:
        self.kv = np.empty((2, 0, 0, 0), np.float32)  # (2, room, h, d)
        self.count = 0  # slots in use

    def update(self, k: Array, v: Array) -> KV:
        """Append the keys and values of new tokens, and return all of them (u, h, d)."""
        before, self.count = self.count, self.count + len(k)
        if self.count > self.kv.shape[1]:  # twice the room that is needed, so that copies are rare
            old, self.kv = self.kv, np.empty((2, 2 * self.count, *k.shape[1:]), k.dtype)
            if before:
                self.kv[:, :before] = old[:, :before]
        self.kv[0, before : self.count], self.kv[1, before : self.count] = k, v
        return self.kv[0, : self.count], self.kv[1, : self.count]

    def select(self, slots: Array) -> None:
        """Keep only the keys and values in the given slots, in the given order."""
        self.kv, self.count = self.kv[:, slots], len(slots)


def project_memory(w: Weights, config: Config, memory: Array) -> list[KV]:
    """Return each layer's keys and values of the encoder's output (u, hidden), computed once per text. §3.2.3."""
    out = []
    for i in range(config.num_hidden_layers):
        part = w / f"decoder.layers.{i}.cross_attention"
        k, v = split_heads(part.linear(cast(memory, w.dtype), "key", "value"), 2, config)  # (u, h, d) each
        out.append((k, v))
    return out


def decode(
    w: Weights,
    config: Config,
    packed: Packed,
    memory_kv: Sequence[KV] | None = None,
    memory_layout: Layout | None = None,
    caches: Sequence[KVCache] | None = None,
    layout: Layout | None = None,
    recorded: Mapping[int, list[Array]] | None = None,
) -> Array:
    """Return the hidden states (t, hidden) of the last layer for the tokens of texts that are being written. §3.1.

    Args:
        w: the model's weights.
        config: of the decoder.
        packed: the new tokens.
        memory_kv: the result of `project_memory`.
        memory_layout: how many tokens of each text and of its memory there are.
        caches: one per layer, to which the tokens' keys and values are appended.
        layout: with `caches`, how many new tokens and tokens in all each text has; without, all tokens are new.
        recorded: layer → list that gets the probabilities (h, q, k) of its attention to the memory, of a single text.
    """
    # with an encoder, the decoder has positions and a norm of its own; the tokens' vectors are the encoder's
    x = embed(w / ("decoder_embeddings" if config.add_cross_attention else "embeddings"), config, packed)
    w, layout = w / "decoder", layout or packed.layout
    x, position_bias = cast(x, w.dtype), relative_bias(w, config, layout, causal=True)
    for i in range(config.num_hidden_layers):
        part, of_layer = w / f"layers.{i}", config.layer(i)
        cache = None if caches is None else caches[i]
        options: dict[str, Any] = {"causal": True, "position_bias": position_bias, "cache": cache}
        x = add_norm(part, "attention", of_layer, x, attention, layout, **options)  # (t, hidden)
        if memory_kv is not None:
            options = {"memory_kv": memory_kv[i], "recorded": (recorded or {}).get(i)}
            x = add_norm(part, "cross_attention", of_layer, x, attention, memory_layout, **options)  # (t, hidden)
        x = add_norm(part, "feed_forward", of_layer, x, feed_forward)  # (t, hidden)
    return to_fp32(w.norm(x, "norm", config.layer_norm_eps) if config.final_norm else x)  # (t, hidden)


def next_token_logits(w: Weights, config: Config, x: Array) -> Array:
    """Return a number for each token of the vocabulary, from hidden states x (t, hidden): how well it would follow."""
    matrix = "embeddings.tokens" if config.tie_word_embeddings else "head.output"
    scale = config.hidden_size**-0.5 if config.scale_decoder_outputs else 1.0  # T5's, with a table for both ends
    bias = "head.bias" if config.lm_head_bias else None
    return w.linear(cast(x, w.dtype), matrix, bias=bias, scale=scale, dtype=FP32)  # (t, vocab), fp32 in any precision
