"""Faster modules in the place of a model's own: the same sums, in fewer and faster operators.

A twin is called as its module is, so the one forward pass runs through it and knows nothing of it. Sublayers take the
residual as `add`, which the last multiplication adds while it computes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gatonegro.engine.kernels import KernelAttend, KernelNorm, fits
from gatonegro.engine.linear import quantise
from gatonegro.nn.attention import Attend, Attention, Bias, attend
from gatonegro.nn.encoder import AddNorm, Encoder, FeedForward
from gatonegro.packing import Layout

Make = Callable[..., nn.Module]  # (weight, bias, act, inputs) → a module that multiplies


class FastAttention(nn.Module):
    """q, k and v by one multiplication."""

    def __init__(self, source: Attention, make: Make, dtype: torch.dtype):
        super().__init__()
        self.heads = source.heads
        device, width = source.query.weight.device, source.query.out_features // self.heads
        parts = (source.query, source.key, source.value)
        self.qkv = make(torch.cat([p.weight for p in parts]), torch.cat([p.bias for p in parts]), source=source.query)
        self.attend: nn.Module = source.attend
        if varlen_usable(device, dtype, self.heads, width):
            self.attend = VarlenAttend()
        elif fits(device, dtype, width):
            self.attend = KernelAttend()
        self.output = make(source.output.weight, source.output.bias, source=source.output)

    def forward(self, x: Tensor, layout: Layout, add: Tensor | None = None) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(1)  # (t, h, d) each
        if layout.rows is not None:
            k, v = k[layout.rows], v[layout.rows]  # (u, h, d)
        return self.output(self.attend(q, k, v, layout).flatten(-2), add)  # (t, hidden)


class VarlenAttend(Attend):
    """All sequences by one kernel of a GPU that knows where each begins, https://arxiv.org/abs/2307.08691."""

    def __init__(self) -> None:
        super().__init__(0.0)
        from torch.nn.attention.varlen import varlen_attn

        self.kernel: Callable[..., Any] = varlen_attn

    def forward(self, q: Tensor, k: Tensor, v: Tensor, layout: Layout, bias: Bias | None = None) -> Tensor:
        queries, keys = (starts.to(q.device, non_blocking=True) for starts in layout.starts)  # (n + 1,) each
        longest = max(layout.queries, default=0), max(layout.keys, default=0)
        return self.kernel(q.contiguous(), k.contiguous(), v.contiguous(), queries, keys, *longest)  # (t, h, d)


def varlen_usable(device: torch.device, dtype: torch.dtype, heads: int, width: int) -> bool:
    """Whether that kernel is there for such heads, and agrees with `attend`."""
    if device.type != "cuda" or dtype not in (torch.bfloat16, torch.float16):
        return False
    random = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(12, heads, width, generator=random).to(device, dtype) for _ in range(3))
    layout = Layout((7, 4, 1), (7, 4, 1))
    try:
        found, wanted = VarlenAttend()(q, k, v, layout), attend(q, k, v, layout)
    except (RuntimeError, ImportError, AttributeError, TypeError, NotImplementedError):
        return False
    return bool((found - wanted).abs().max() < 0.05)


class FastFeedForward(nn.Module):
    """The non-linearity computed with the first multiplication, the residual with the second."""

    def __init__(self, source: FeedForward, make: Make):
        super().__init__()
        act = source.activation.name
        self.up = make(source.up.weight, source.up.bias, act=act, source=source.up)
        self.down = make(source.down.weight, source.down.bias, after=act, source=source.down)

    def forward(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        return self.down(self.up(x), add)  # (t, hidden)


def fast_norm(source: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Ours, where it is compiled for such a norm."""
    if isinstance(source, nn.LayerNorm) and fits(source.weight.device, dtype, len(source.weight)):
        return KernelNorm(source)
    return copy.deepcopy(source).to(dtype)


class FastAddNorm(nn.Module):
    """norm(x + f(x)), or x + f(norm(x)), where f adds x itself."""

    def __init__(self, source: AddNorm, dtype: torch.dtype):
        super().__init__()
        self.before = source.before
        self.norm = fast_norm(source.norm, dtype)

    def forward(self, x: Tensor, sublayer: nn.Module, *args: Any) -> Tensor:
        if self.before:
            return sublayer(self.norm(x), *args, add=x)
        return self.norm(sublayer(x, *args, add=x))


class ByteEmbedding(nn.Module):
    """Vectors kept as int8 rows (v, hidden) with a scale each (v,): those that are looked up become numbers again."""

    rows: Tensor
    scales: Tensor

    def __init__(self, rows: Tensor, scales: Tensor):
        super().__init__()
        self.register_buffer("rows", rows, persistent=False)  # (v, hidden)
        self.register_buffer("scales", scales[:, None], persistent=False)  # (v, 1)

    def forward(self, ids: Tensor) -> Tensor:
        return self.rows[ids] * self.scales[ids]  # (t, hidden)

    @property
    def weight(self) -> Tensor:
        return self.rows * self.scales  # (v, hidden)


def as_bytes(source: nn.Embedding) -> ByteEmbedding | None:
    """The same vectors to the last bit; None where bytes cannot say them, since somebody has changed them, say."""
    parts = []
    for some in source.weight.detach().split(1024):  # so many as stay in a processor's cache
        rows, scales = quantise(some, narrow=False)
        if not torch.equal(rows * scales[:, None], some):
            return None
        parts.append((rows, scales))
    return ByteEmbedding(*map(torch.cat, zip(*parts, strict=True)))


class FastEncoder(nn.Module):
    """Layer after layer in another precision; what stands before and behind them is fp32."""

    def __init__(self, source: Encoder, dtype: torch.dtype):
        super().__init__()
        self.layers, self.dtype = source.layers, dtype

    @torch.no_grad()
    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        kind, x = x.dtype, x.to(self.dtype)
        with torch.autocast(x.device.type, enabled=False):  # a twin has a precision of its own
            for layer in self.layers:
                x = layer(x, layout)
        return x.to(kind)  # (t, hidden)
