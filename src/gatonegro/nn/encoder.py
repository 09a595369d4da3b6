"""Embeddings, feed-forward, and the one encoder layer of the house."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from gatonegro.config import Config
from gatonegro.errors import ConfigError
from gatonegro.nn.attention import Attention
from gatonegro.packing import Layout, Packed
from gatonegro.wording import both

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
    """Each number by itself."""

    def __init__(self, name: str):
        super().__init__()
        if not isinstance(name, str) or name not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ConfigError(
                both(
                    f"config.json: the activation (hidden_act) {name!r} is not known; known are {known}.",
                    f"config.json: no se conoce la activación (hidden_act) {name!r}; se conocen {known}.",
                )
            )
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        return ACTIVATIONS[self.name](x)

    def extra_repr(self) -> str:
        return self.name


class Embedding(nn.Embedding):
    """A vector a number."""

    def reset_parameters(self) -> None:
        """Draw nothing: weights come from a checkpoint or from `initialise`.

        PyTorch's own draw, on the meta device where models are built, would import its compiler: two seconds.
        """


class Embeddings(nn.Module):
    """Vectors for token, position and segment, added and normalised."""

    def __init__(self, config: Config):
        super().__init__()
        self.tokens = Embedding(config.vocab_size, config.hidden_size)
        self.positions = Embedding(config.max_position_embeddings, config.hidden_size)
        self.segments = Embedding(config.type_vocab_size, config.hidden_size) if config.type_vocab_size else None
        self.norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, packed: Packed) -> Tensor:
        x = self.tokens(packed.ids) if packed.embeds is None else packed.embeds.to(self.positions.weight.dtype)
        x = x + self.positions(packed.positions)
        if self.segments is not None:
            x = x + (self.segments.weight[0] if packed.segments is None else self.segments(packed.segments))
        return self.dropout(self.norm(x))  # (t, hidden)


class FeedForward(nn.Module):
    """Up, a non-linearity, down; each token by itself."""

    def __init__(self, config: Config):
        super().__init__()
        self.up = nn.Linear(config.hidden_size, config.intermediate_size)
        self.activation = Activation(config.hidden_act)
        self.down = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x)))  # (t, hidden)


class AddNorm(nn.Module):
    """norm(x + f(x)), or x + f(norm(x)): the residual, written once."""

    def __init__(self, config: Config):
        super().__init__()
        self.before = config.norm_place == "pre"
        self.norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
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

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        x = self.attention_add(x, self.attention, layout)  # (t, hidden)
        return self.feed_forward_add(x, self.feed_forward)  # (t, hidden)


class Encoder(nn.Module):
    """Layer after layer."""

    def __init__(self, config: Config):
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(config.layer(i)) for i in range(config.num_hidden_layers))

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        for layer in self.layers:
            x = layer(x, layout)
        return x  # (t, hidden)
