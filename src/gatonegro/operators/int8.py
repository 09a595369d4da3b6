"""Quantisation of weights to int8, with one scale per row of a matrix, and what products in int8 need beside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# activation → its minimum
ACTIVATION_MINIMUM = {
    "relu": 0.0,
    "gelu": -0.17,
    "gelu_new": -0.1701,
    "gelu_pytorch_tanh": -0.1701,
    "silu": -0.2785,
    "swish": -0.2785,
}


def quantise(weight: np.ndarray, narrow_sums: bool) -> tuple[np.ndarray, np.ndarray]:
    """Quantise an fp32 matrix (n, k) to int8, and return it with one scale per row (n,).

    With `narrow_sums`, two neighbours of a row are at most 128 together: 255 · 128 fits 16 bits.
    """
    sizes = np.abs(weight)  # (n, k)
    largest = sizes.max(1, initial=0) / np.float32(127)
    if narrow_sums:
        even = weight.shape[1] // 2 * 2
        pairs = sizes[:, :even:2] + sizes[:, 1:even:2]  # (n, k / 2)
        # 127, since both may be rounded up
        largest = np.maximum(largest, pairs.max(1, initial=0) / np.float32(127))
        largest = np.maximum(largest, sizes[:, even:].max(1, initial=0) / np.float32(127))
    scales = np.maximum(largest, np.float32(1e-30))
    steps = np.divide(weight, scales[:, None], out=sizes)
    return np.clip(np.rint(steps, out=steps), -127, 127, out=steps).astype(np.int8), scales


def smoothing(input_maxima: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the factors (k,) that make a layer's inputs and weights equally hard to quantise.

    They divide the inputs, whose channels' largest absolute values are `input_maxima` (k,), and multiply the weights,
    whose columns' root mean squares are `sizes` (k,), so that large channels do not cost the others their precision, as
    in SmoothQuant, https://arxiv.org/abs/2211.10438 §4.
    """
    factors = np.sqrt(np.maximum(input_maxima, np.float32(1e-5)) / np.maximum(sizes, np.float32(1e-5)))
    return factors / np.sort(factors)[(len(factors) - 1) // 2]  # the median


@dataclass(frozen=True)
class Int8Weights:
    """The weights of act(x·Wᵀ + b) in int8, and vectors by which results are computed.

    A row of x is quantised as x · inv_smooth = scale · (byte − zero_point) + input_min, with one scale per row, so that
    a sentence has the same answer alone and in a batch.

    Attributes:
        rows: int8 numbers (n, k), or their panels in a compiled kernel's layout.
        scales: (n,), fp32.
        bias: (n,), with the correction for `input_min`.
        offset: (n,), what is added to a sum of products for the zero point.
        inv_smooth: (k,), or None.
        input_min: minimum of the inputs, or 0.
        zero_point: 128, or 0 with a minimum.
    """

    rows: np.ndarray
    scales: np.ndarray
    bias: np.ndarray
    offset: np.ndarray
    inv_smooth: np.ndarray | None
    input_min: float
    zero_point: int

    @classmethod
    def of(
        cls,
        rows: np.ndarray,
        scales: np.ndarray,
        sums: np.ndarray,
        bias: np.ndarray | None,
        smooth: np.ndarray | None,
        input_min: float | None,
    ) -> Int8Weights:
        """Return weights of quantised rows, their scales and their sums (n,); `bias` and `smooth` may be None."""
        sums = sums.astype(np.float32) * scales  # (n,)
        shift = np.zeros_like(scales) if bias is None else np.pad(bias.astype(np.float32), (0, len(scales) - len(bias)))
        if input_min is not None:
            shift = shift + np.float32(input_min) * sums
        zero_point = 128 if input_min is None else 0
        inverse = None if smooth is None else 1 / smooth
        return cls(rows, scales, shift, -zero_point * sums, inverse, input_min or 0.0, zero_point)
