"""Products, norms and attention over numpy arrays: the compiled kernels' where they are installed, else numpy's.

All take packed sequences, and numbers in fp32 or bf16 (`arrays`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gatonegro.operators import int8, kernels, plain
from gatonegro.operators.arrays import FP32, cast, to_fp32


def linear(weight: np.ndarray, bias: np.ndarray | None = None, act: str | None = None) -> Any:
    """Return the function (x, add, dtype) → act(x·Wᵀ + b) + add of weights (n, k) in fp32 or bf16."""
    return (kernels if kernels.available() else plain).Linear(weight, bias, act)


def int8_linear(*args: Any, **options: Any) -> Any:
    """Return the same function in int8, with the arguments of `plain.Int8Linear`."""
    return (kernels if kernels.available() else plain).Int8Linear(*args, **options)


def smoothing(x: np.ndarray, weight: np.ndarray, row_scales: np.ndarray | None) -> np.ndarray:
    """Return the factors (k,) of `int8.smoothing` for inputs (t, k) and weights (n, k), whose rows may have factors."""
    sizes = (kernels if kernels.available() else plain).column_sizes(weight, row_scales)
    return int8.smoothing(np.abs(to_fp32(x)).max(0), sizes)


def norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, eps: float) -> np.ndarray:
    """Return the layer norm (t, hidden) of each row or, without bias, its RMS norm."""
    if kernels.available() and kernels.supports_width(x.shape[1]):
        return kernels.norm(x, weight, bias, eps)
    return cast(plain.norm(to_fp32(x), weight, bias, eps), x.dtype)


def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, *lengths: Any, **options: Any) -> np.ndarray:
    """Return softmax(q·kᵀ/√d)·v (t, h, d), with the arguments of `plain.attend`."""
    if kernels.available() and kernels.supports_width(q.shape[2]):
        return kernels.attend(q, k, v, *lengths, **options)
    return cast(plain.attend(to_fp32(q), to_fp32(k), to_fp32(v), *lengths, **options), q.dtype)


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the product of two arrays of fp32 or bf16 numbers, element by element."""
    return a * b if a.dtype == FP32 else cast(to_fp32(a) * to_fp32(b), a.dtype)
