"""The one decoder layer of all families, with attention to an encoder's output where there is one, and the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from torch import Tensor, nn

from gatonegro.config import Config
from gatonegro.nn.attention import Attention, Bias, Kept, Keys, RelativeBias
from gatonegro.nn.encoder import AddNorm, FeedForward, norm_of
from gatonegro.packing import Layout


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention to the encoder's output, feed-forward."""

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
        memory: Keys | None = None,
        cross: Layout | None = None,
        kept: Kept | None = None,
    ) -> Tensor:
        x = self.attention_add(x, self.attention, layout, bias, None, kept)  # (t, hidden)
        if memory is not None:
            x = self.cross_attention_add(x, self.cross_attention, cross, None, memory)  # (t, hidden)
        return self.feed_forward_add(x, self.feed_forward)  # (t, hidden)


class Decoder(nn.Module):
    """Layer after layer."""

    def __init__(self, config: Config):
        super().__init__()
        self.relative = RelativeBias(config, causal=True) if config.relative_attention_num_buckets else None
        self.layers = nn.ModuleList(DecoderLayer(config.layer(i)) for i in range(config.num_hidden_layers))
        self.norm = norm_of(config) if config.final_norm else None

    def keys_of(self, memory: Tensor) -> list[Keys]:
        """Return each layer's keys and values (u, h, d) of an encoder's output (u, hidden): computed once per text."""
        return [layer.cross_attention.keys_of(memory) for layer in self.layers]  # type: ignore

    def forward(
        self,
        x: Tensor,
        layout: Layout,
        memory: Sequence[Keys] | None = None,
        cross: Layout | None = None,
        kept: Sequence[Kept] | None = None,
    ) -> Tensor:
        """Return hidden states of the last layer. (t, hidden)

        Args:
            memory: the result of `keys_of`.
            cross: a layout with the queries of `layout` and the keys in `memory`.
            kept: a cache per layer, to which the keys and values of these tokens are added.
        """
        bias = None if self.relative is None else cache(self.relative)  # the same for all layers
        for i, layer in enumerate(self.layers):
            keys, cache_ = None if memory is None else memory[i], None if kept is None else kept[i]
            x = layer(x, layout, bias, keys, cross, cache_)
        return x if self.norm is None else self.norm(x)  # (t, hidden)
