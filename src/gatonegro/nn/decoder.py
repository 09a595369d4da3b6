"""The decoder and its layer, which all model families share, with cross-attention where there is an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from torch import Tensor, nn

from gatonegro.config import Config
from gatonegro.nn.attention import KV, Attention, Bias, KVCache, RelativeBias
from gatonegro.nn.encoder import AddNorm, FeedForward, build_norm, run_layer
from gatonegro.nn.named import Named
from gatonegro.packing import Layout


class DecoderLayer(Named):
    """A decoder layer: causal self-attention, cross-attention if there is an encoder, and a feed-forward network."""

    def __init__(self, config: Config):
        super().__init__()
        self.attention = Attention(config, causal=True)
        self.attention_add = AddNorm(config)
        if config.add_cross_attention:
            self.cross_attention = Attention(config)
            self.cross_attention_add = AddNorm(config)
        self.feed_forward = FeedForward(config)
        self.feed_forward_add = AddNorm(config)

    def forward(
        self,
        x: Tensor,
        layout: Layout,
        bias: Bias | None = None,
        memory: KV | None = None,
        cross: Layout | None = None,
        kv_cache: KVCache | None = None,
    ) -> Tensor:
        x = self.attention_add(x, self.attention, layout, bias, None, kv_cache)  # (t, hidden)
        if memory is not None:
            x = self.cross_attention_add(x, self.cross_attention, cross, None, memory)  # (t, hidden)
        return self.feed_forward_add(x, self.feed_forward)  # (t, hidden)


class Decoder(Named):
    """A stack of decoder layers."""

    checkpoints = False  # gradient checkpointing

    def __init__(self, config: Config):
        super().__init__()
        self.relative = RelativeBias(config, causal=True) if config.relative_attention_num_buckets else None
        self.layers = nn.ModuleList(DecoderLayer(config.layer(i)) for i in range(config.num_hidden_layers))
        self.norm = build_norm(config) if config.final_norm else None

    def project_memory(self, memory: Tensor) -> list[KV]:
        """Return each layer's cross-attention keys and values of an encoder's output, to be computed once per text."""
        return [layer.cross_attention.project_kv(memory) for layer in self.layers]  # type: ignore

    def forward(
        self,
        x: Tensor,
        layout: Layout,
        memory: Sequence[KV] | None = None,
        cross: Layout | None = None,
        kv_caches: Sequence[KVCache] | None = None,
    ) -> Tensor:
        """Return the hidden states (t, hidden) of the decoder's last layer, given token embeddings (t, hidden).

        `memory` is the result of `project_memory`, `cross` the layout of queries of `layout` and keys in `memory`.
        The keys and values of these tokens are appended to `kv_caches`, one per layer.
        """
        twice = self.checkpoints and self.training
        bias = self.relative if twice or self.relative is None else cache(self.relative)  # as in the encoder
        for i, layer in enumerate(self.layers):
            kv, kv_cache = None if memory is None else memory[i], None if kv_caches is None else kv_caches[i]
            x = run_layer(layer, twice, x, layout, bias, kv, cross, kv_cache)
        return x if self.norm is None else self.norm(x)  # (t, hidden)
