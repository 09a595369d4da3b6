"""Attention over all sequences of a packed batch in one kernel call, on a GPU or a CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatonegro.engine.kernels import to_array, to_tensor
from gatonegro.nn.attention import Attend, AttentionTrace, Bias, RelativeBias, attend
from gatonegro.operators import kernels
from gatonegro.packing import Layout


class VarlenAttend(Attend):
    """Attention over sequences of different lengths by one GPU kernel call, https://arxiv.org/abs/2307.08691."""

    def __init__(self, causal: bool = False, scale: float | None = None) -> None:
        super().__init__(0.0, causal, scale)
        from torch.nn.attention.varlen import varlen_attn

        self.kernel: Callable[..., Any] = varlen_attn

    def forward(self, q: Tensor, k: Tensor, v: Tensor, layout: Layout, bias: Bias | None = None) -> Tensor:
        if self.causal or self.scale is not None or bias is not None or layout.key_slots is not None:
            return super().forward(q, k, v, layout, bias)
        queries, keys = (torch.as_tensor(starts).to(q.device, non_blocking=True) for starts in layout.cu_seqlens)
        longest = max(layout.query_lengths, default=0), max(layout.key_lengths, default=0)
        return self.kernel(q.contiguous(), k.contiguous(), v.contiguous(), queries, keys, *longest)  # (t, h, d)


def is_varlen_usable(device: torch.device, dtype: torch.dtype, heads: int, width: int) -> bool:
    """Return True if the GPU's variable-length attention supports the given heads and agrees with PyTorch's."""
    if device.type != "cuda" or dtype not in (torch.bfloat16, torch.float16):
        return False
    random = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(12, heads, width, generator=random).to(device, dtype) for _ in range(3))
    layout = Layout((7, 4, 1), (7, 4, 1))
    try:
        contexts, expected = VarlenAttend()(q, k, v, layout), attend(q, k, v, layout)
    except (RuntimeError, ImportError, AttributeError, TypeError, NotImplementedError):
        return False
    return bool((contexts - expected).abs().max() < 0.05)


class KernelAttend(Attend):
    """Attention over all sequences and heads in one call of the compiled CPU kernel."""

    def __init__(self, causal: bool = False, scale: float | None = None) -> None:
        super().__init__(0.0, causal, scale)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, layout: Layout, bias: Bias | None = None) -> Tensor:
        table, relative = None, getattr(bias, "__wrapped__", bias)  # without its cache
        if isinstance(relative, RelativeBias):
            table = to_array(relative.by_distance(max(layout.key_lengths, default=0)).float())
        elif relative is not None:
            return super().forward(q, k, v, layout, bias)
        slots = None if layout.key_slots is None else np.asarray(layout.key_slots)
        arrays = to_array(q), to_array(k), to_array(v), layout.query_lengths, layout.key_lengths, slots
        return to_tensor(kernels.attend(*arrays, causal=self.causal, scale=self.scale, bias=table))  # (t, h, d)

    def trace(self, q: Tensor, k: Tensor, v: Tensor, layout: Layout, bias: Bias | None = None) -> list[AttentionTrace]:
        """Compute attention step by step in fp32, as the kernel does."""
        return super().trace(q.float(), k.float(), v.float(), layout, bias)
