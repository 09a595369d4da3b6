"""Faster modules that replace a model's own: the same sums, by fewer and faster operators.

Each is called as the module that it replaces, so the forward pass stays the same code. Sublayers take the residual as
`add`, and their last multiplication adds it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gatonegro.engine.attention import KernelAttend, VarlenAttend, varlen_usable
from gatonegro.engine.kernels import Kernel, KernelNorm, fits
from gatonegro.engine.linear import quantise
from gatonegro.nn.attention import KV, Attention, Bias, KVCache
from gatonegro.nn.decoder import Decoder
from gatonegro.nn.encoder import AddNorm, Encoder, FeedForward
from gatonegro.nn.heads import LMHead
from gatonegro.packing import Layout, Packed

Make = Callable[..., nn.Module]  # (weight, bias, act, inputs) → a module that multiplies


class FastAttention(nn.Module):
    """Attention with q, k and v by one multiplication; a memory's k and v by one."""

    def __init__(self, source: Attention, make: Make, dtype: torch.dtype, cross: bool = False):
        super().__init__()
        self.heads, self.width = source.heads, source.query.out_features // source.heads
        first = (source.query,) if cross else (source.query, source.key, source.value)
        self.own = _joined(first, make)
        self.memory = _joined((source.key, source.value), make) if cross else None
        device = source.query.weight.device
        self.attend: nn.Module = source.attend
        if varlen_usable(device, dtype, self.heads, self.width):
            self.attend = VarlenAttend(source.attend.causal, source.attend.scale)
        elif fits(device, dtype, self.width):
            self.attend = KernelAttend(source.attend.causal, source.attend.scale)
        self.output = make(source.output.weight, source.output.bias, source=source.output)

    def project_kv(self, memory: Tensor) -> KV:
        assert self.memory is not None
        k, v = self.memory(memory).view(-1, 2, self.heads, self.width).unbind(1)  # (u, h, d) each
        return k, v

    def forward(
        self,
        x: Tensor,
        layout: Layout,
        bias: Bias | None = None,
        memory: KV | None = None,
        kv_cache: KVCache | None = None,
        add: Tensor | None = None,
    ) -> Tensor:
        if memory is None:
            q, k, v = self.own(x).view(-1, 3, self.heads, self.width).unbind(1)  # (t, h, d) each
            if layout.key_rows is not None:
                k, v = k[layout.key_rows], v[layout.key_rows]  # (u, h, d)
            if kv_cache is not None:
                k, v = kv_cache.update(k, v)
        else:
            q = self.own(x).view(-1, self.heads, self.width)  # (t, h, d)
            k, v = memory  # (u, h, d) each
        return self.output(self.attend(q, k, v, layout, bias).flatten(-2), add)  # (t, hidden)


def _joined(parts: Sequence[nn.Linear], make: Make) -> nn.Module:
    """Return linear maps of the same input as one, whose result is theirs side by side."""
    bias = None if parts[0].bias is None else torch.cat([part.bias for part in parts])
    return make(torch.cat([part.weight for part in parts]), bias, source=parts[0])


class FastFeedForward(nn.Module):
    """A feed-forward layer with the activation in its first multiplication, and the residual in its second."""

    def __init__(self, source: FeedForward, make: Make):
        super().__init__()
        act, first = source.activation.name, source.up or source.gate
        assert first is not None
        self.up = make(first.weight, first.bias, act=act, source=first)
        self.value = None if source.value is None else _joined([source.value], make)
        after = act if self.value is None else None
        self.down = make(source.down.weight, source.down.bias, after=after, source=source.down)

    def forward(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        up = self.up(x)  # (t, wide)
        return self.down(up if self.value is None else up.mul_(self.value(x)), add)  # (t, hidden)


def fast_norm(source: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return our kernel, where there is one for such a norm; else a copy of the norm in `dtype`."""
    if isinstance(source, nn.LayerNorm) and fits(source.weight.device, dtype, len(source.weight)):
        return KernelNorm(source)
    return copy.deepcopy(source).to(dtype)


class FastAddNorm(nn.Module):
    """norm(x + f(x)), or x + f(norm(x)), where f adds x."""

    def __init__(self, source: AddNorm, dtype: torch.dtype):
        super().__init__()
        self.pre_norm = source.pre_norm
        self.norm = fast_norm(source.norm, dtype)

    def forward(self, x: Tensor, sublayer: nn.Module, *args: Any) -> Tensor:
        if self.pre_norm:
            return sublayer(self.norm(x), *args, add=x)
        return self.norm(sublayer(x, *args, add=x))


class ByteEmbedding(nn.Module):
    """An embedding of int8 rows (v, hidden) with one scale per row (v,)."""

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
    """Return the same vectors, to the bit, as int8; None where int8 cannot hold them, such as after training."""
    parts = []
    for vectors in source.weight.detach().split(1024):  # as many as stay in a processor's cache
        rows, scales = quantise(vectors, narrow=False)
        if not torch.equal(rows * scales[:, None], vectors):
            return None
        parts.append((rows, scales))
    return ByteEmbedding(*map(torch.cat, zip(*parts, strict=True)))


class FastHead(nn.Module):
    """A language-model head in the fast precision, the largest product of a step. The logits are fp32."""

    per = "token"

    def __init__(self, source: LMHead, tokens: nn.Module, make: Make, dtype: torch.dtype):
        super().__init__()
        weight: Tensor = (tokens if source.output is None else source.output).weight  # type: ignore[assignment]
        weight = weight if source.scale == 1.0 else weight * source.scale
        self.product, self.dtype = make(weight, None if source.bias is None else source.bias[0], source=source), dtype
        if isinstance(self.product, Kernel):
            self.product.gives = torch.float32

    def forward(self, x: Tensor, packed: Packed, tokens: nn.Module) -> Tensor:
        return self.product(x.to(self.dtype)).float()  # (t, vocab)


class _Stack(nn.Module):
    """Layers in another precision; the modules before and after them are fp32."""

    def __init__(self, source: Encoder | Decoder, dtype: torch.dtype):
        nn.Module.__init__(self)
        self.layers, self.relative, self.dtype = source.layers, source.relative, dtype
        self.norm = None if source.norm is None else fast_norm(source.norm, dtype)


class FastEncoder(_Stack, Encoder):
    """An encoder in another precision."""

    @torch.no_grad()
    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # the precision is this module's
            return super().forward(x.to(self.dtype), layout).to(x.dtype)  # (t, hidden)


class FastDecoder(_Stack, Decoder):
    """A decoder in another precision."""

    @torch.no_grad()
    def project_memory(self, memory: Tensor) -> list[KV]:
        with torch.autocast(memory.device.type, enabled=False):
            return super().project_memory(memory.to(self.dtype))

    @torch.no_grad()
    def forward(
        self,
        x: Tensor,
        layout: Layout,
        memory: Sequence[KV] | None = None,
        cross: Layout | None = None,
        kv_caches: Sequence[KVCache] | None = None,
    ) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.dtype), layout, memory, cross, kv_caches).to(x.dtype)  # (t, hidden)
