"""The encoder and its parts, which all model families share: embeddings, feed-forward network, norms and layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gatonegro.config import Config, check_activation
from gatonegro.errors import InputError
from gatonegro.nn.attention import Attention, Bias, Embedding, RelativeBias
from gatonegro.nn.named import MESSAGES, Named
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
    """A module that applies an activation function, given by its name, such as "gelu"."""

    def __init__(self, name: str):
        super().__init__()
        check_activation(name)
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        return ACTIVATIONS[self.name](x)

    def extra_repr(self) -> str:
        return self.name


@cache
def _sinusoids(num_positions: int, width: int) -> Tensor:
    """Return sinusoidal position embeddings: per position, a vector of sines, then cosines, of falling frequency.

    https://github.com/huggingface/transformers/blob/main/src/transformers/models/marian/modeling_marian.py
    """
    frequencies = 10_000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle = torch.arange(num_positions, dtype=torch.float64)[:, None] * frequencies  # (num_positions, ⌈width / 2⌉)
    return torch.cat([angle.sin(), angle[:, : width // 2].cos()], dim=-1).float()  # (num_positions, width)


class Sinusoids(nn.Module):
    """Sinusoidal position embeddings, which are not trained, https://arxiv.org/abs/1706.03762 §3.5."""

    def __init__(self, config: Config):
        super().__init__()
        self.num_positions, self.width = config.num_positions, config.hidden_size

    @property
    def weight(self) -> Tensor:
        """The table (num_positions, hidden), which is computed and no parameter."""
        return _sinusoids(self.num_positions, self.width)

    def forward(self, positions: Tensor) -> Tensor:
        return self.weight.to(positions.device)[positions]  # (t, hidden)


POSITIONS: dict[str, Callable[[Config], nn.Module | None]] = {
    "learned": lambda config: Embedding(config.num_positions, config.hidden_size),
    "sinusoid": Sinusoids,
    "none": lambda config: None,
}


def build_norm(config: Config) -> nn.Module:
    """Build the norm that a model's configuration names: a layer norm or an RMS norm."""
    kind = nn.LayerNorm if config.norm == "layer" else nn.RMSNorm
    return kind(config.hidden_size, config.layer_norm_eps)


class Embeddings(Named):
    """A model's input embeddings: token, position and token-type vectors, if it has them, summed and normalised."""

    def __init__(self, config: Config, shared: bool = False):
        super().__init__()
        self.tokens: Embedding = None if shared else Embedding(config.vocab_size, config.hidden_size)  # type: ignore
        self.scale = config.hidden_size**0.5 if config.scale_embedding else 1.0
        # a batch's own embeddings are not scaled, but for Marian's decoder
        self.scales_embeds = shared and config.position_embedding == "sinusoid"
        self.positions = POSITIONS[config.position_embedding](config)
        self.token_types = Embedding(config.type_vocab_size, config.hidden_size) if config.type_vocab_size else None
        self.shares_types = config.decoder_only  # GPT-2's types are tokens
        self.norm = build_norm(config) if config.embedding_norm else None
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, packed: Packed, tokens: nn.Module | None = None) -> Tensor:
        """Return the embeddings (t, hidden) of a packed batch, with another table of token embeddings if given."""
        if isinstance(packed, Tensor):  # as in `transformers`
            raise InputError(*MESSAGES["packed"])
        tokens = self.tokens if tokens is None else tokens
        x = tokens(packed.ids) if packed.embeds is None else packed.embeds.to(tokens.weight.dtype)
        if self.scale != 1.0 and (packed.embeds is None or self.scales_embeds):
            x = x * self.scale
        if self.positions is not None:
            x = x + self.positions(packed.positions).to(x.dtype)
        if self.token_types is not None:
            x = x + (self.token_types.weight[0] if packed.token_types is None else self.token_types(packed.token_types))
        elif packed.token_types is not None and self.shares_types:
            x = x + tokens(packed.token_types)
        return self.dropout(x if self.norm is None else self.norm(x))  # (t, hidden)


class FeedForward(nn.Module):
    """A layer's position-wise feed-forward network: two linear layers with an activation, or a gated one, between."""

    def __init__(self, config: Config):
        super().__init__()
        size, wide = config.hidden_size, config.feed_forward_size
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
    """The residual connection and norm around a sublayer f: norm(x + f(x)), or x + f(norm(x)) for pre-norm."""

    def __init__(self, config: Config):
        super().__init__()
        self.pre_norm = config.pre_norm
        self.norm = build_norm(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, sublayer: nn.Module, *args: Any) -> Tensor:
        if self.pre_norm:
            return x + self.dropout(sublayer(self.norm(x), *args))
        return self.norm(x + self.dropout(sublayer(x, *args)))


class EncoderLayer(Named):
    """An encoder layer: self-attention and a feed-forward network, each with a residual connection and a norm."""

    def __init__(self, config: Config):
        super().__init__()
        self.attention = Attention(config)
        self.attention_add = AddNorm(config)
        self.feed_forward = FeedForward(config)
        self.feed_forward_add = AddNorm(config)

    def forward(self, x: Tensor, layout: Layout, bias: Bias | None = None) -> Tensor:
        x = self.attention_add(x, self.attention, layout, bias)  # (t, hidden)
        return self.feed_forward_add(x, self.feed_forward)  # (t, hidden)


def run_layer(layer: nn.Module, recompute: bool, *args: Any) -> Tensor:
    """Call a layer; with `recompute`, keep none of its activations for the backward pass, which computes them anew."""
    return checkpoint(layer, *args, use_reentrant=False) if recompute else layer(*args)


class Encoder(Named):
    """A stack of encoder layers."""

    checkpoints = False  # gradient checkpointing

    def __init__(self, config: Config):
        super().__init__()
        self.relative = RelativeBias(config) if config.relative_attention_num_buckets else None
        self.layers = nn.ModuleList(EncoderLayer(config.layer(i)) for i in range(config.num_hidden_layers))
        self.norm = build_norm(config) if config.final_norm else None

    def forward(self, x: Tensor | None = None, layout: Layout | None = None, **padded: Any) -> Tensor:
        if x is None or layout is None:  # called as in `transformers`
            raise InputError(*MESSAGES["packed"])
        twice = self.checkpoints and self.training
        # the same for all layers, but computed again with each layer that is
        bias = self.relative if twice or self.relative is None else cache(self.relative)
        for layer in self.layers:
            x = run_layer(layer, twice, x, layout, bias)
        return x if self.norm is None else self.norm(x)  # (t, hidden)
