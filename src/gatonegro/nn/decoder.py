"""The one decoder layer of the house, and the decoder: what has been written looks at itself, and at what was read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from torch import Tensor, nn

from gatonegro.config import Config
from gatonegro.nn.attention import Attention, Bias, Kept, Keys, RelativeBias
from gatonegro.nn.encoder import AddNorm, FeedForward, norm_of
from gatonegro.packing import Layout


class DecoderLayer(nn.Module):
    """Self-attention that sees no later token, cross-attention to the encoder's result, feed-forward."""

    def __init__(self, config: Config):
        super().__init__()
        self.attention = Attention(config, causal=True)
        self.attention_add = AddNorm(config)
        if config.cross_attention:
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
        self.relative = RelativeBias(config, causal=True) if config.relative_buckets else None
        self.layers = nn.ModuleList(DecoderLayer(config.layer(i)) for i in range(config.num_hidden_layers))
        self.norm = norm_of(config) if config.final_norm else None

    def keys_of(self, memory: Tensor) -> list[Keys]:
        """What each layer looks at of an encoder's result (u, hidden), keys and values (u, h, d): computed once a text,
        however much is written."""
        return [layer.cross_attention.keys_of(memory) for layer in self.layers]  # type: ignore

    def forward(
        self,
        x: Tensor,
        layout: Layout,
        memory: Sequence[Keys] | None = None,
        cross: Layout | None = None,
        kept: Sequence[Kept] | None = None,
    ) -> Tensor:
        """Hidden states of the last layer. (t, hidden)

        Args:
            memory: what `keys_of` made of the encoder's result, a layer.
            cross: whose queries are those of `layout`, and whose keys lie in `memory`.
            kept: a cache a layer, to which the keys and values of these tokens are added.
        """
        bias = None if self.relative is None else cache(self.relative)  # the same for all layers
        for i, layer in enumerate(self.layers):
            own, at = None if kept is None else kept[i], None if memory is None else memory[i]
            x = layer(x, layout, bias, at, cross, own)
        return x if self.norm is None else self.norm(x)  # (t, hidden)
