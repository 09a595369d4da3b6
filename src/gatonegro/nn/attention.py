"""Scaled dot-product attention over packed sequences, https://arxiv.org/abs/1706.03762 §3.2.

`attend` is the one place that keeps sequences apart. `attend_plain` computes the same step by step, for tests, for
the trace and for readers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatonegro.config import Config
from gatonegro.packing import Layout


class Embedding(nn.Embedding):
    """One vector per id."""

    def reset_parameters(self) -> None:
        """Draw no weights: they come from a checkpoint or from `initialise`.

        PyTorch's draw, on the meta device where models are built, would import its compiler: two seconds.
        """


# a term of one run's scores: (query length, key length) → (h, q, k), or (n, h, q, k) for run `(n, …)`
Bias = Callable[[int, int], Tensor]


def _runs(q: Tensor, k: Tensor, v: Tensor, layout: Layout) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Return views of the packed tensors, one run of equal lengths at a time. Only keys in a cache are copied."""
    runs = layout.runs
    if layout.places is not None:
        k, v = k[layout.places], v[layout.places]  # (u, h, d) each
    # split at once: each slice would have a gradient as large as the whole
    queries = q.split([n * lq for n, lq, _ in runs])
    keys, values = (x.split([n * lk for n, _, lk in runs]) for x in (k, v))
    for (n, _, _), *parts in zip(runs, queries, keys, values, strict=True):
        qs, ks, vs = (x.unflatten(0, (n, -1)).transpose(1, 2) for x in parts)
        yield qs, ks, vs  # (n, h, q, d), (n, h, k, d) twice


def _mask(q: int, k: int, causal: bool, window: int | None, bias: Bias | None, like: Tensor) -> Tensor | None:
    """Return the term of the scores of queries that are the last `q` of `k` tokens; None if there is none."""
    mask = bias(q, k).to(like.dtype) if bias is not None else None
    if (causal and q > 1) or (window is not None and k > window + 1):
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
    """Return the attention of every query over the keys of its sequence. (t, h, d)

    `causal` hides later keys, `window` those at a greater distance in tokens; `scale` defaults to 1/√d.
    """
    out = []
    for qs, ks, vs in _runs(q, k, v, layout):
        # the operator's mask is faster, and right where queries and keys are the same tokens
        built_in = causal and window is None and bias is None and qs.shape[2] == ks.shape[2]
        mask = None if built_in else _mask(qs.shape[2], ks.shape[2], causal, window, bias, q)
        y = F.scaled_dot_product_attention(qs, ks, vs, mask, dropout, is_causal=built_in, scale=scale)
        out.append(y.transpose(1, 2).flatten(0, 1))
    return out[0] if len(out) == 1 else torch.cat(out) if out else torch.empty_like(q)  # (t, h, d)


@dataclass(frozen=True)
class Seen:
    """The attention of one sequence, per head: `scores` and `probs` (h, q, k), `context` (q, h, d)."""

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
    """Return what `attend` computes, without a fused operator: one `Seen` per sequence, in order."""
    seen = []
    for qs, ks, vs in _runs(q, k, v, layout):
        scores = qs @ ks.transpose(-2, -1) * (scale if scale is not None else q.shape[-1] ** -0.5)  # (n, h, q, k)
        mask = _mask(qs.shape[2], ks.shape[2], causal, window, bias, q)
        if mask is not None:
            scores = scores + mask
        probs = scores.softmax(-1)  # (n, h, q, k)
        context = (probs @ vs).transpose(1, 2)  # (n, q, h, d)
        seen += [Seen(*each) for each in zip(scores, probs, context, strict=True)]
    return seen


class RelativeBias(nn.Module):
    """T5's positions: a learned score per head and distance. Near distances are apart, far ones share a bucket.

    https://github.com/huggingface/transformers/blob/main/src/transformers/models/t5/modeling_t5.py
    """

    def __init__(self, config: Config, causal: bool = False):
        super().__init__()
        self.causal, self.buckets = causal, config.relative_attention_num_buckets
        self.far = config.relative_attention_max_distance
        self.scores = Embedding(self.buckets, config.num_attention_heads)

    def forward(self, q: int, k: int) -> Tensor:
        """Return the term of the scores of queries that are the last `q` of `k` tokens. (h, q, k)"""
        distance = torch.arange(k)[None] - torch.arange(k - q, k)[:, None]  # (q, k)
        kinds, bucket = self.buckets, torch.zeros_like(distance)
        if self.causal:
            distance = (-distance).clamp(min=0)
        else:
            kinds //= 2
            bucket += (distance > 0) * kinds
            distance = distance.abs()
        near = kinds // 2
        beyond = torch.log(distance.clamp(min=1).float() / near) / math.log(self.far / near) * (kinds - near)
        bucket += torch.where(distance < near, distance, (near + beyond.long()).clamp(max=kinds - 1))
        return self.scores(bucket.to(self.scores.weight.device)).permute(2, 0, 1)  # (h, q, k)


class Attend(nn.Module):
    """softmax(q·kᵀ/√d)·v

    The function `attend` as a module without weights, so that a hook can record its input and output.
    """

    def __init__(self, dropout: float, causal: bool = False, scale: float | None = None):
        super().__init__()
        self.dropout, self.causal, self.scale = dropout, causal, scale

    def forward(self, q: Tensor, k: Tensor, v: Tensor, layout: Layout, bias: Bias | None = None) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        return attend(q, k, v, layout, causal=self.causal, scale=self.scale, bias=bias, dropout=dropout)

    def plain(self, q: Tensor, k: Tensor, v: Tensor, layout: Layout, bias: Bias | None = None) -> list[Seen]:
        """Return the same computed step by step."""
        return attend_plain(q, k, v, layout, causal=self.causal, scale=self.scale, bias=bias)


class Kept:
    """A layer's keys and values of all tokens so far, (u, h, d) each: the cache of a decoder.

    `Layout.places` are those of a sequence, so that none is moved where sequences end or change places.
    """

    def __init__(self) -> None:
        self.k = self.v = torch.empty(0, 0, 0)
        self.count = 0

    def add(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append those of new tokens (t, h, d). Return all. (u, h, d) each"""
        before, self.count = self.count, self.count + len(k)
        if self.count > len(self.k):
            old, size = (self.k, self.v), (2 * self.count, *k.shape[1:])
            self.k, self.v = k.new_empty(size), v.new_empty(size)
            if before:
                self.k[:before], self.v[:before] = (x[:before] for x in old)
        self.k[before : self.count], self.v[before : self.count] = k, v
        return self.k[: self.count], self.v[: self.count]

    def take(self, rows: Tensor) -> None:
        """Keep these rows alone."""
        self.k, self.v, self.count = self.k[rows], self.v[rows], len(rows)


Keys = tuple[Tensor, Tensor]  # keys and values, (u, h, d) each


class Attention(nn.Module):
    """Attention of every token over its sequence, or over another one's `memory`, per head."""

    def __init__(self, config: Config, causal: bool = False):
        super().__init__()
        size, inner = config.hidden_size, config.num_attention_heads * config.head_dim
        self.heads = config.num_attention_heads
        self.query = nn.Linear(size, inner, config.bias)
        self.key = nn.Linear(size, inner, config.bias)
        self.value = nn.Linear(size, inner, config.bias)
        self.attend = Attend(config.attention_probs_dropout_prob, causal, config.attention_scale)
        self.output = nn.Linear(inner, size, config.bias)

    def keys_of(self, memory: Tensor) -> Keys:
        """Return keys and values of hidden states (u, hidden)."""
        k = self.key(memory).unflatten(-1, (self.heads, -1))  # (u, h, d)
        return k, self.value(memory).unflatten(-1, (self.heads, -1))  # (u, h, d)

    def forward(
        self, x: Tensor, layout: Layout, bias: Bias | None = None, memory: Keys | None = None, kept: Kept | None = None
    ) -> Tensor:
        q = self.query(x).unflatten(-1, (self.heads, -1))  # (t, h, d)
        if memory is None:
            memory = self.keys_of(x if layout.rows is None else x[layout.rows])
        k, v = memory  # (u, h, d) each
        if kept is not None:
            k, v = kept.add(k, v)
        return self.output(self.attend(q, k, v, layout, bias).flatten(-2))  # (t, hidden)
