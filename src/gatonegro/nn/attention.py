"""Scaled dot-product attention over packed sequences, https://arxiv.org/abs/1706.03762 §3.2.

`attend` is the one place that keeps sequences apart. `attend_plain` is its twin in the open: the same sums,
step by step, for tests, for the trace and for people who read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatonegro.config import Config
from gatonegro.packing import Layout

# What is added to the scores of one run: (query length, key length) → (h, q, k), or (n, h, q, k) for run `(n, …)`.
Bias = Callable[[int, int], Tensor]


def _runs(q: Tensor, k: Tensor, v: Tensor, layout: Layout) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Views of the packed tensors, a run of equal lengths at a time; nothing is copied."""
    a = b = 0
    for n, lq, lk in layout.runs:
        yield (
            q[a : a + n * lq].unflatten(0, (n, lq)).transpose(1, 2),  # (n, h, q, d)
            k[b : b + n * lk].unflatten(0, (n, lk)).transpose(1, 2),  # (n, h, k, d)
            v[b : b + n * lk].unflatten(0, (n, lk)).transpose(1, 2),  # (n, h, k, d)
        )
        a, b = a + n * lq, b + n * lk


def _mask(q: int, k: int, causal: bool, window: int | None, bias: Bias | None, like: Tensor) -> Tensor | None:
    """What to add to the scores of queries that are the last `q` of `k` tokens; None where nothing is hidden."""
    mask = bias(q, k) if bias is not None else None
    if causal or (window is not None and k > window + 1):
        distance = torch.arange(k, device=like.device) - torch.arange(k - q, k, device=like.device)[:, None]  # (q, k)
        hidden = distance > 0 if causal else torch.zeros_like(distance, dtype=torch.bool)
        if window is not None:
            hidden = hidden | (distance.abs() > window)
        blind = torch.zeros(q, k, dtype=like.dtype, device=like.device).masked_fill(hidden, float("-inf"))
        mask = blind if mask is None else mask + blind
    return mask


def attend(
    q: Tensor,  # (t, h, d)
    k: Tensor,  # (u, h, d)
    v: Tensor,  # (u, h, d)
    layout: Layout,
    *,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
    bias: Bias | None = None,
    dropout: float = 0.0,
) -> Tensor:
    """Every query looks at the keys of its own sequence. → (t, h, d)

    `causal` hides later keys, `window` those further than so many tokens away, `scale` defaults to 1/√d.
    """
    out = [
        F.scaled_dot_product_attention(
            qs, ks, vs, _mask(qs.shape[2], ks.shape[2], causal, window, bias, q), dropout, scale=scale
        )
        .transpose(1, 2)
        .flatten(0, 1)
        for qs, ks, vs in _runs(q, k, v, layout)
    ]
    return out[0] if len(out) == 1 else torch.cat(out) if out else torch.empty_like(q)  # (t, h, d)


@dataclass(frozen=True)
class Seen:
    """What one sequence's attention did, a head at a time: `scores` and `probs` (h, q, k), `context` (q, h, d)."""

    scores: Tensor
    probs: Tensor
    context: Tensor


def attend_plain(
    q: Tensor,  # (t, h, d)
    k: Tensor,  # (u, h, d)
    v: Tensor,  # (u, h, d)
    layout: Layout,
    *,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
    bias: Bias | None = None,
) -> list[Seen]:
    """`attend` without a fused operator: one `Seen` a sequence, in order."""
    seen = []
    for qs, ks, vs in _runs(q, k, v, layout):
        scores = qs @ ks.transpose(-2, -1) * (scale if scale is not None else q.shape[-1] ** -0.5)  # (n, h, q, k)
        mask = _mask(qs.shape[2], ks.shape[2], causal, window, bias, q)
        if mask is not None:
            scores = scores + mask
        probs = scores.softmax(-1)  # (n, h, q, k)
        context = (probs @ vs).transpose(1, 2)  # (n, q, h, d)
        seen += [Seen(*one) for one in zip(scores, probs, context, strict=True)]
    return seen


class Attend(nn.Module):
    """softmax(q·kᵀ/√d)·v

    The function `attend` as a module without weights, so that a hook can see what goes in and what comes out.
    """

    def __init__(self, dropout: float):
        super().__init__()
        self.dropout = dropout

    def forward(self, q: Tensor, k: Tensor, v: Tensor, layout: Layout) -> Tensor:
        return attend(q, k, v, layout, dropout=self.dropout if self.training else 0.0)


class Attention(nn.Module):
    """Every token looks at its own sequence, a head at a time."""

    def __init__(self, config: Config):
        super().__init__()
        size = config.hidden_size
        self.heads = config.num_attention_heads
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)
        self.attend = Attend(config.attention_probs_dropout_prob)
        self.output = nn.Linear(size, size)

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        memory = x if layout.rows is None else x[layout.rows]  # (u, hidden)
        q = self.query(x).unflatten(-1, (self.heads, -1))  # (t, h, d)
        k = self.key(memory).unflatten(-1, (self.heads, -1))  # (u, h, d)
        v = self.value(memory).unflatten(-1, (self.heads, -1))  # (u, h, d)
        return self.output(self.attend(q, k, v, layout).flatten(-2))  # (t, h·d)
