"""Products, norms and attention in numpy, which the compiled kernels replace where they are installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gatonegro.operators.int8 import Int8Weights, quantise

Array = np.ndarray


def gelu(x: Array) -> Array:
    """Return x·Φ(x), https://arxiv.org/abs/1606.08415.

    Φ by formula 7.1.26 of Abramowitz and Stegun's handbook, whose error is below 1.5e-7.
    """
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    tail = np.float32(1.061405429) * t
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail += np.float32(factor)
        tail *= t
    z *= -z
    tail *= np.exp(z, out=z)  # 1 − erf
    np.subtract(2, tail, out=tail, where=x >= 0)
    tail *= x
    tail *= np.float32(0.5)
    return tail


def gelu_tanh(x: Array) -> Array:
    """Return an approximation of `gelu` by a tanh, with which some models were trained."""
    return np.float32(0.5) * x * (1 + np.tanh(np.float32((2 / np.pi) ** 0.5) * (x + np.float32(0.044715) * x * x * x)))


def silu(x: Array) -> Array:
    """Return x / (1 + exp(-x)), without overflow."""
    return np.float32(0.5) * x * (1 + np.tanh(np.float32(0.5) * x))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": gelu,
    "gelu_new": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh,
    "relu": lambda x: np.maximum(x, 0),
    "silu": silu,
    "swish": silu,
    "tanh": np.tanh,
}


def softmax(x: Array) -> Array:
    """Return the softmax along the last axis: positive numbers whose sum is 1."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Linear:
    """A linear layer act(x·Wᵀ + b) + add in fp32.

    Args:
        weight: (n, k).
        bias: (n,), or None.
        act: activation of the result, or None.
    """

    def __init__(self, weight: Array, bias: Array | None = None, act: str | None = None):
        self.weight, self.bias, self.act = weight, bias, act

    def multiply(self, x: Array) -> Array:
        """Return x·Wᵀ (t, n)."""
        return x @ self.weight.T

    def __call__(self, x: Array, add: Array | None = None, dtype: np.dtype | None = None) -> Array:
        """Return act(x·Wᵀ + b) + add (t, n) for inputs (t, k)."""
        y = self.multiply(x)
        if self.bias is not None:
            y += self.bias
        if self.act is not None:
            y = ACTIVATIONS[self.act](y)
        return y if add is None else y + add


class Int8Linear(Linear):
    """A linear layer with the roundings of int8, which it computes in fp32.

    Args:
        weight: (n, k), in fp32 or, with `row_scales`, int8.
        row_scales: factors (n,) of the rows, or None.
        bias: (n,), or None.
        act: activation of the result, or None.
        smooth: (k,), see `int8.smoothing`, or None.
        input_min: minimum of the inputs, or None. With one, all 256 steps lie above it.
    """

    def __init__(
        self,
        weight: Array,
        row_scales: Array | None,
        bias: Array | None,
        act: str | None,
        smooth: Array | None = None,
        input_min: float | None = None,
    ):
        if row_scales is not None:
            weight = weight * row_scales[:, None]
        rows, scales = quantise(weight if smooth is None else weight * smooth, narrow_sums=False)
        w = self.int8 = Int8Weights.of(rows, scales, rows.sum(1, dtype=np.int32), bias, smooth, input_min)
        super().__init__(rows.astype(np.float32), w.bias, act)

    def multiply(self, x: Array) -> Array:
        w = self.int8
        if w.inv_smooth is not None:
            x = x * w.inv_smooth
        top = np.abs(x).max(1, keepdims=True) if w.zero_point else x.max(1, keepdims=True) - np.float32(w.input_min)
        scale = np.maximum(top, np.float32(1e-30)) / np.float32(127 if w.zero_point else 255)  # (t, 1)
        steps = np.clip(np.rint((x - np.float32(w.input_min)) / scale), -w.zero_point, 255 - w.zero_point)  # (t, k)
        return (steps @ self.weight.T) * (scale * w.scales)  # (t, n)


def column_sizes(weight: Array, row_scales: Array | None) -> Array:
    """Return the root mean square of each column (k,) of a matrix (n, k) whose rows may have factors (n,)."""
    sizes: Array = np.sqrt(np.square(weight if row_scales is None else weight * row_scales[:, None]).mean(0))
    return sizes


def norm(x: Array, weight: Array, bias: Array | None, eps: float) -> Array:
    """Return a layer norm of each row or, without bias, an RMS norm: x / √(mean(x²) + eps) · weight."""
    if bias is not None:
        x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + np.float32(eps)) * weight
    return x if bias is None else x + bias  # (t, hidden)


def attention_probs(
    q: Array,  # (q, h, d)
    k: Array,  # (k, h, d)
    *,
    causal: bool = False,
    scale: float | None = None,
    bias: Array | None = None,  # (h, 2·reach + 1)
) -> Array:
    """Return softmax(q·kᵀ/√d) of one sequence (h, q, k): how much each query attends to each key.

    The queries are the last tokens of the keys' sequence. With `causal`, none attends to later tokens. With `bias`, a
    number is added for each head and distance from query to key, from -reach to reach and farther.
    """
    scores = q.transpose(1, 0, 2) @ k.transpose(1, 2, 0)  # (h, q, k)
    scores *= np.float32(q.shape[-1] ** -0.5 if scale is None else scale)
    distance = np.arange(len(k)) - np.arange(len(k) - len(q), len(k))[:, None]  # (q, k)
    if bias is not None:
        reach = bias.shape[1] // 2
        scores += bias[:, np.clip(distance, -reach, reach) + reach]
    if not causal:
        return softmax(scores)
    # an early query of more queries than keys sees nothing, and gets zeros
    return softmax(np.where(distance > 0, np.float32(-1e30), scores)) * (distance <= 0)


def attend(
    q: Array,  # (t, h, d)
    k: Array,  # (u, h, d)
    v: Array,  # (u, h, d)
    query_lengths: Sequence[int],
    key_lengths: Sequence[int],
    key_slots: Array | None = None,  # (u,), rows of k and v; default: all
    *,
    causal: bool = False,
    scale: float | None = None,
    bias: Array | None = None,  # (h, 2·reach + 1)
) -> Array:
    """Return softmax(q·kᵀ/√d)·v (t, h, d) of packed sequences, each by itself; see `attention_probs`."""
    if key_slots is not None:
        k, v = k[key_slots], v[key_slots]
    out, first, start = np.zeros_like(q), 0, 0
    for queries, keys in zip(query_lengths, key_lengths, strict=True):
        rows, columns = slice(first, first + queries), slice(start, start + keys)
        first, start = rows.stop, columns.stop
        if queries and keys:
            probs = attention_probs(q[rows], k[columns], causal=causal, scale=scale, bias=bias)  # (h, q, k)
            out[rows] = (probs @ v[columns].transpose(1, 0, 2)).transpose(1, 0, 2)
    return out
