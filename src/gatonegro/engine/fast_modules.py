"""Faster versions of a Transformer's modules, such as attention, which call fewer and faster operators.

Each has the signature of the module that it replaces, so the forward pass stays the same code. Sublayers take the
residual as `add`, and their last product adds it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gatonegro.engine.attention import KernelAttend, VarlenAttend, is_varlen_usable
from gatonegro.engine.kernels import Kernel, KernelNorm, supports_width
from gatonegro.nn.attention import KV, Attention, Bias, KVCache
from gatonegro.nn.decoder import Decoder
from gatonegro.nn.encoder import Activation, AddNorm, Encoder, FeedForward
from gatonegro.nn.heads import LMHead
from gatonegro.operators.arrays import FP32
from gatonegro.packing import Layout, Packed

MakeLinear = Callable[..., nn.Module]  # (*linear layers with the same input, act=, input_act=) → a faster one


class FastAttention(nn.Module):
    """Attention that computes queries, keys and values by one matrix product instead of three."""

    def __init__(self, source: Attention, make_linear: MakeLinear, dtype: torch.dtype, cross: bool = False):
        super().__init__()
        self.heads, self.width = source.heads, source.query.out_features // source.heads
        fused = (source.query,) if cross else (source.query, source.key, source.value)
        self.qkv = make_linear(*fused)  # in cross-attention, q alone
        self.cross_kv = make_linear(source.key, source.value) if cross else None
        device = source.query.weight.device
        self.attend: nn.Module = source.attend
        if is_varlen_usable(device, dtype, self.heads, self.width):
            self.attend = VarlenAttend(source.attend.causal, source.attend.scale)
        elif supports_width(device, dtype, self.width):
            self.attend = KernelAttend(source.attend.causal, source.attend.scale)
        self.output = make_linear(source.output)

    def project_kv(self, memory: Tensor) -> KV:
        assert self.cross_kv is not None
        k, v = self.cross_kv(memory).view(-1, 2, self.heads, self.width).unbind(1)  # (u, h, d) each
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
            q, k, v = self.qkv(x).view(-1, 3, self.heads, self.width).unbind(1)  # (t, h, d) each
            if layout.key_rows is not None:
                k, v = k[layout.key_rows], v[layout.key_rows]  # (u, h, d)
            if kv_cache is not None:
                k, v = kv_cache.update(k, v)
        else:
            q = self.qkv(x).view(-1, self.heads, self.width)  # (t, h, d)
            k, v = memory  # (u, h, d) each
        return self.output(self.attend(q, k, v, layout, bias).flatten(-2), add)  # (t, hidden)


class FastFeedForward(nn.Module):
    """A feed-forward layer whose first matrix product applies the activation, and whose second adds the residual."""

    def __init__(self, source: FeedForward, make_linear: MakeLinear):
        super().__init__()
        act, first = source.activation.name, source.up or source.gate
        assert first is not None
        self.up = make_linear(first, act=act)
        self.value = None if source.value is None else make_linear(source.value)
        input_act = act if self.value is None else None
        self.down = make_linear(source.down, input_act=input_act)

    def forward(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        up = self.up(x)  # (t, wide)
        return self.down(up if self.value is None else up.mul_(self.value(x)), add)  # (t, hidden)


def fast_norm(source: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return a norm computed by the compiled CPU kernel or, where that is not possible, a copy converted to `dtype`."""
    if isinstance(source, nn.LayerNorm | nn.RMSNorm) and supports_width(
        source.weight.device, dtype, len(source.weight)
    ):
        return KernelNorm(source)
    return copy.deepcopy(source).to(dtype)


def speed_up_head(head: nn.Module, make_linear: MakeLinear) -> None:
    """Replace a head's linear layers, and the activation after one, by compiled products in fp32, in place."""
    for name, child in list(head.named_children()):
        if isinstance(child, nn.Linear):
            setattr(head, name, make_linear(child))
        elif isinstance(child, Activation):  # the product applies it
            setattr(head, name, nn.Identity())
        elif isinstance(child, nn.LayerNorm):
            setattr(head, name, fast_norm(child, torch.float32))


class FastAddNorm(nn.Module):
    """The residual connection and norm around a sublayer, where the sublayer itself adds the residual."""

    def __init__(self, source: AddNorm, dtype: torch.dtype):
        super().__init__()
        self.pre_norm = source.pre_norm
        self.norm = fast_norm(source.norm, dtype)

    def forward(self, x: Tensor, sublayer: nn.Module, *args: Any) -> Tensor:
        if self.pre_norm:
            return sublayer(self.norm(x), *args, add=x)
        return self.norm(sublayer(x, *args, add=x))


class FastLMHead(nn.Module):
    """A language-model head that computes in a given precision and returns fp32 logits."""

    per = "token"

    def __init__(self, source: LMHead, tokens: nn.Module, make_linear: MakeLinear, dtype: torch.dtype):
        super().__init__()
        weight: Tensor = (tokens if source.output is None else source.output).weight  # type: ignore[assignment]
        self.dtype = dtype
        self.product = make_linear(source, weight=weight if source.scale == 1.0 else weight * source.scale)
        if isinstance(self.product, Kernel):
            self.product.out_dtype = FP32

    def forward(self, x: Tensor, packed: Packed, tokens: nn.Module) -> Tensor:
        return self.product(x.to(self.dtype)).float()  # (t, vocab)


class _Stack(nn.Module):
    """Base class of encoders and decoders whose layers compute in a given precision, between modules in fp32."""

    def __init__(self, source: Encoder | Decoder, dtype: torch.dtype):
        nn.Module.__init__(self)
        self.layers, self.relative, self.dtype = source.layers, source.relative, dtype
        self.norm = None if source.norm is None else fast_norm(source.norm, dtype)


class FastEncoder(_Stack, Encoder):
    """A stack of encoder layers that computes in a given precision, such as bf16."""

    @torch.no_grad()
    def forward(self, x: Tensor | None = None, layout: Layout | None = None, **padded: Any) -> Tensor:
        if x is None:
            return super().forward(**padded)  # an error
        with torch.autocast(x.device.type, enabled=False):  # the precision is this module's
            return super().forward(x.to(self.dtype), layout).to(x.dtype)  # (t, hidden)


class FastDecoder(_Stack, Decoder):
    """A stack of decoder layers that computes in a given precision, such as bf16."""

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
