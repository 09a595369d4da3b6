"""Scaled dot-product attention over packed sequences, https://arxiv.org/abs/1706.03762 §3.2.

`attend` is the only function that separates sequences. `attend_eager` computes the same step by step, for tests, for
`AttentionTrace` and for readers.
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
    """An embedding table with one vector per id, which leaves its weights undefined until they are set."""

    def reset_parameters(self) -> None:
        """Leave an embedding table's weights undefined: they come from a checkpoint or from `init_weights`.

        On the meta device, where models are built, PyTorch's initialisation imports its compiler: two seconds.
        """


# a term of one run's scores: (query length, key length) → (h, q, k), or (n, h, q, k) for run `(n, …)`
Bias = Callable[[int, int], Tensor]
KV = tuple[Tensor, Tensor]  # keys and values, (u, h, d) each


def _runs(q: Tensor, k: Tensor, v: Tensor, layout: Layout) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield queries, keys and values as batches without padding, one for each run of sequences of equal length."""
    runs = layout.runs
    if layout.key_slots is not None:
        k, v = k[layout.key_slots], v[layout.key_slots]  # (u, h, d) each
    # split at once: each slice would have a gradient as large as the whole
    queries = q.split([n * lq for n, lq, _ in runs])
    keys, values = (x.split([n * lk for n, _, lk in runs]) for x in (k, v))
    for (n, _, _), *parts in zip(runs, queries, keys, values, strict=True):
        qs, ks, vs = (x.unflatten(0, (n, -1)).transpose(1, 2) for x in parts)
        yield qs, ks, vs  # (n, h, q, d), (n, h, k, d) twice


def _mask(q: int, k: int, causal: bool, window: int | None, bias: Bias | None, like: Tensor) -> Tensor | None:
    """Return the mask to add to the attention scores of the last `q` of `k` tokens, or None if none is needed."""
    mask = bias(q, k).to(like.dtype) if bias is not None else None
    if (causal and q > 1) or (window is not None and k > window + 1):
        distance = torch.arange(k, device=like.device) - torch.arange(k - q, k, device=like.device)[:, None]  # (q, k)
        hidden = distance > 0 if causal else torch.zeros_like(distance, dtype=torch.bool)
        if window is not None:
            hidden = hidden | (distance.abs() > window)
        masked = torch.zeros(q, k, dtype=like.dtype, device=like.device).masked_fill(hidden, float("-inf"))
        mask = masked if mask is None else mask + masked
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
    """Return the attention output (t, h, d) of every query over the keys of its own sequence in a packed batch.

    `causal` masks later keys, `window` keys more than that number of tokens away; `scale` defaults to 1/√d.
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
class AttentionTrace:
    """The attention of one sequence: scores and probabilities (h, q, k), and context vectors (q, h, d)."""

    scores: Tensor
    probs: Tensor
    context: Tensor


def attend_eager(
    q: Tensor,  # (t, h, d)
    k: Tensor,  # (u, h, d)
    v: Tensor,  # (u, h, d)
    layout: Layout,
    *,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
    bias: Bias | None = None,
) -> list[AttentionTrace]:
    """Compute attention step by step, without a fused operator, and return one `AttentionTrace` per sequence."""
    traces = []
    for qs, ks, vs in _runs(q, k, v, layout):
        scores = qs @ ks.transpose(-2, -1) * (scale if scale is not None else q.shape[-1] ** -0.5)  # (n, h, q, k)
        mask = _mask(qs.shape[2], ks.shape[2], causal, window, bias, q)
        if mask is not None:
            scores = scores + mask
        probs = scores.softmax(-1)  # (n, h, q, k)
        context = (probs @ vs).transpose(1, 2)  # (n, q, h, d)
        traces += [AttentionTrace(*each) for each in zip(scores, probs, context, strict=True)]
    return traces


class RelativeBias(nn.Module):
    """T5's relative position bias: a learned number per head and range of distances, added to attention scores.

    Each short distance has its own bucket; long ones share buckets whose width grows with the logarithm.
    https://github.com/huggingface/transformers/blob/main/src/transformers/models/t5/modeling_t5.py
    """

    def __init__(self, config: Config, causal: bool = False):
        super().__init__()
        self.causal, self.num_buckets = causal, config.relative_attention_num_buckets
        self.max_distance = config.relative_attention_max_distance
        self.scores = Embedding(self.num_buckets, config.num_attention_heads)

    def by_distance(self, reach: int) -> Tensor:
        """Return the bias (h, 2·reach + 1) for each distance from a query to a key, from -reach to reach."""
        distance = torch.arange(-reach, reach + 1)
        num_buckets, bucket = self.num_buckets, torch.zeros_like(distance)
        if self.causal:
            distance = (-distance).clamp(min=0)
        else:
            num_buckets //= 2
            bucket += (distance > 0) * num_buckets
            distance = distance.abs()
        max_exact = num_buckets // 2
        ratio = torch.log(distance.clamp(min=1).float() / max_exact) / math.log(self.max_distance / max_exact)
        shared = (max_exact + (ratio * (num_buckets - max_exact)).long()).clamp(max=num_buckets - 1)
        bucket += torch.where(distance < max_exact, distance, shared)
        return self.scores(bucket.to(self.scores.weight.device)).T  # (h, 2·reach + 1)

    def forward(self, q: int, k: int) -> Tensor:
        """Return the bias (h, q, k) to add to the attention scores of the last `q` of `k` tokens."""
        distance = torch.arange(k)[None] - torch.arange(k - q, k)[:, None]  # (q, k)
        return self.by_distance(k)[:, distance + k]  # (h, q, k)


class Attend(nn.Module):
    """Scaled dot-product attention, softmax(q·kᵀ/√d)·v, as a module.

    It wraps the function `attend` and has no weights; hooks on it receive q, k, v and the output.
    """

    def __init__(self, dropout: float, causal: bool = False, scale: float | None = None):
        super().__init__()
        self.dropout, self.causal, self.scale = dropout, causal, scale

    def forward(self, q: Tensor, k: Tensor, v: Tensor, layout: Layout, bias: Bias | None = None) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        return attend(q, k, v, layout, causal=self.causal, scale=self.scale, bias=bias, dropout=dropout)

    def trace(self, q: Tensor, k: Tensor, v: Tensor, layout: Layout, bias: Bias | None = None) -> list[AttentionTrace]:
        """Compute attention step by step, and return its scores, probabilities and outputs for each sequence."""
        return attend_eager(q, k, v, layout, causal=self.causal, scale=self.scale, bias=bias)


class KVCache:
    """The key–value cache of one decoder layer: the keys and values (u, h, d) of all tokens so far.

    `Layout.key_slots` are the rows of each sequence, so that nothing moves when sequences end or are reordered.
    """

    def __init__(self) -> None:
        self.k = self.v = torch.empty(0, 0, 0)
        self.count = 0

    def update(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append the keys and values of new tokens to the cache, and return all keys and values (u, h, d)."""
        before, self.count = self.count, self.count + len(k)
        if not before:
            self.k, self.v = k, v
            return k, v
        if self.count > len(self.k):
            old, size = (self.k, self.v), (2 * self.count, *k.shape[1:])
            self.k, self.v = k.new_empty(size), v.new_empty(size)
            self.k[:before], self.v[:before] = (x[:before] for x in old)
        self.k[before : self.count], self.v[before : self.count] = k, v
        return self.k[: self.count], self.v[: self.count]

    def select(self, rows: Tensor) -> None:
        """Keep only the keys and values at the given indices of the cache, in the given order."""
        self.k, self.v, self.count = self.k[rows], self.v[rows], len(rows)


class Attention(nn.Module):
    """Multi-head self-attention or, given the keys and values of an encoder's output, cross-attention."""

    def __init__(self, config: Config, causal: bool = False):
        super().__init__()
        size, inner = config.hidden_size, config.num_attention_heads * config.head_dim
        self.heads = config.num_attention_heads
        self.query = nn.Linear(size, inner, config.bias)
        self.key = nn.Linear(size, inner, config.bias)
        self.value = nn.Linear(size, inner, config.bias)
        self.attend = Attend(config.attention_probs_dropout_prob, causal, config.attention_scale)
        self.output = nn.Linear(inner, size, config.bias)

    def project_kv(self, memory: Tensor) -> KV:
        """Return the keys and values (u, h, d) that attention computes from hidden states (u, hidden)."""
        k = self.key(memory).unflatten(-1, (self.heads, -1))  # (u, h, d)
        return k, self.value(memory).unflatten(-1, (self.heads, -1))  # (u, h, d)

    def forward(
        self,
        x: Tensor,
        layout: Layout,
        bias: Bias | None = None,
        memory: KV | None = None,
        kv_cache: KVCache | None = None,
    ) -> Tensor:
        q = self.query(x).unflatten(-1, (self.heads, -1))  # (t, h, d)
        if memory is None:
            memory = self.project_kv(x if layout.key_rows is None else x[layout.key_rows])
        k, v = memory  # (u, h, d) each
        if kv_cache is not None:
            k, v = kv_cache.update(k, v)
        return self.output(self.attend(q, k, v, layout, bias).flatten(-2))  # (t, hidden)
