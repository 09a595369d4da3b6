"""Embeddings, feed-forward, the one encoder layer of all families, and the encoder."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatonegro.config import Config
from gatonegro.errors import ConfigError
from gatonegro.nn.attention import Attention, Bias, Embedding, RelativeBias
from gatonegro.packing import Layout, Packed

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": partial(F.gelu, approximate="tanh"),
    "gelu_pytorch_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
    "swish": F.silu,
    "tanh": F.tanh,
}


class Activation(nn.Module):
    """A non-linearity of each value."""

    def __init__(self, name: str):
        super().__init__()
        if not isinstance(name, str) or name not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ConfigError(
                f"config.json: the activation (hidden_act) {name!r} is not known; known are {known}.",
                f"config.json: no se conoce la activación (hidden_act) {name!r}; se conocen {known}.",
            )
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        return ACTIVATIONS[self.name](x)

    def extra_repr(self) -> str:
        return self.name


@cache
def _waves(places: int, width: int) -> Tensor:
    """Return per position sines in the first half of a vector, cosines in the second, with falling frequencies.

    https://github.com/huggingface/transformers/blob/main/src/transformers/models/marian/modeling_marian.py
    """
    slow = 10_000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle = torch.arange(places, dtype=torch.float64)[:, None] * slow  # (places, width / 2, rounded up)
    return torch.cat([angle.sin(), angle[:, : width // 2].cos()], dim=-1).float()  # (places, width)


class Sinusoids(nn.Module):
    """A fixed vector per position, https://arxiv.org/abs/1706.03762 §3.5."""

    def __init__(self, config: Config):
        super().__init__()
        self.places, self.width = config.max_position_embeddings, config.hidden_size

    def forward(self, positions: Tensor) -> Tensor:
        return _waves(self.places, self.width).to(positions.device)[positions]  # (t, hidden)


POSITIONS: dict[str, Callable[[Config], nn.Module | None]] = {
    "learned": lambda config: Embedding(config.max_position_embeddings, config.hidden_size),
    "sinusoid": Sinusoids,
    "none": lambda config: None,
}


def norm_of(config: Config) -> nn.Module:
    """Return a layer norm, or the RMS norm, which does not subtract the mean."""
    kind = nn.LayerNorm if config.norm == "layer" else nn.RMSNorm
    return kind(config.hidden_size, config.layer_norm_eps)


class Embeddings(nn.Module):
    """Vectors of token, position and segment, as far as the family has them, added and normalised."""

    def __init__(self, config: Config, shared: bool = False):
        super().__init__()
        self.tokens: Embedding = None if shared else Embedding(config.vocab_size, config.hidden_size)  # type: ignore
        self.scale = config.hidden_size**0.5 if config.scale_embedding else 1.0
        self.positions = POSITIONS[config.position_embedding](config)
        self.segments = Embedding(config.type_vocab_size, config.hidden_size) if config.type_vocab_size else None
        self.norm = norm_of(config) if config.embedding_norm else None
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, packed: Packed, tokens: nn.Module | None = None) -> Tensor:
        """Return the vectors (t, hidden). `tokens` are the encoder's token embeddings, where a decoder shares them."""
        tokens = self.tokens if tokens is None else tokens
        x = tokens(packed.ids) if packed.embeds is None else packed.embeds.to(tokens.weight.dtype)  # type: ignore
        if self.scale != 1.0:
            x = x * self.scale
        if self.positions is not None:
            x = x + self.positions(packed.positions).to(x.dtype)
        if self.segments is not None:
            x = x + (self.segments.weight[0] if packed.segments is None else self.segments(packed.segments))
        return self.dropout(x if self.norm is None else self.norm(x))  # (t, hidden)


class FeedForward(nn.Module):
    """Up, a non-linearity, down, for each token alone."""

    def __init__(self, config: Config):
        super().__init__()
        size, wide = config.hidden_size, config.intermediate_size
        self.up = None if config.is_gated_act else nn.Linear(size, wide, config.bias)
        self.gate = nn.Linear(size, wide, config.bias) if config.is_gated_act else None
        self.value = nn.Linear(size, wide, config.bias) if config.is_gated_act else None
        self.activation = Activation(config.hidden_act)
        self.down = nn.Linear(wide, size, config.bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.up is not None:
            return self.down(self.activation(self.up(x)))  # (t, hidden)
        assert self.gate is not None and self.value is not None
        return self.down(self.activation(self.gate(x)) * self.value(x))  # (t, hidden)


class AddNorm(nn.Module):
    """norm(x + f(x)), or x + f(norm(x)): the residual, written once."""

    def __init__(self, config: Config):
        super().__init__()
        self.before = config.pre_norm
        self.norm = norm_of(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, sublayer: nn.Module, *args: Any) -> Tensor:
        if self.before:
            return x + self.dropout(sublayer(self.norm(x), *args))
        return self.norm(x + self.dropout(sublayer(x, *args)))


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward, each with its residual."""

    def __init__(self, config: Config):
        super().__init__()
        self.attention = Attention(config)
        self.attention_add = AddNorm(config)
        self.feed_forward = FeedForward(config)
        self.feed_forward_add = AddNorm(config)

    def forward(self, x: Tensor, layout: Layout, bias: Bias | None = None) -> Tensor:
        x = self.attention_add(x, self.attention, layout, bias)  # (t, hidden)
        return self.feed_forward_add(x, self.feed_forward)  # (t, hidden)


class Encoder(nn.Module):
    """Layer after layer."""

    def __init__(self, config: Config):
        super().__init__()
        self.relative = RelativeBias(config) if config.relative_attention_num_buckets else None
        self.layers = nn.ModuleList(EncoderLayer(config.layer(i)) for i in range(config.num_hidden_layers))
        self.norm = norm_of(config) if config.final_norm else None

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        bias = None if self.relative is None else cache(self.relative)  # the same for all layers
        for layer in self.layers:
            x = layer(x, layout, bias)
        return x if self.norm is None else self.norm(x)  # (t, hidden)
