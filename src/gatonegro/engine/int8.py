"""Linear layers and token embeddings in int8, by PyTorch's int8 operators.

The operators are private to PyTorch: `optimize.is_usable` tries them before a model uses them.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from gatonegro.engine.kernels import to_array, to_tensor
from gatonegro.engine.linear import activate
from gatonegro.operators import int8


class Int8(nn.Module):
    """A linear layer in int8, with one scale per row of the weight matrix and one per input token.

    With a scale per token, a sentence has the same answer alone and in a batch.

    Args:
        weight: (n, k).
        bias: (n,), or None.
        act: activation of the result, or None.
        smooth: (k,), divides the inputs and multiplies the weights, so that large channels do not cost the others their
            precision, as in SmoothQuant, https://arxiv.org/abs/2211.10438 §4.
        input_min: minimum of the inputs, or None. With one, all 256 steps lie above it, and the bias corrects for it.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        act: str | None = None,
        smooth: Tensor | None = None,
        input_min: float | None = None,
    ):
        super().__init__()
        self.act, self.input_min, self.zero_point = act, input_min, 128 if input_min is None else 0
        if smooth is not None:
            weight = weight * smooth
        self.inv_smooth = None if smooth is None else 1 / smooth  # (k,)
        rows, scales = quantise(weight, narrow_sums=self.narrow_sums())  # (n, k), (n,)
        self.bias = torch.zeros(len(rows)) if bias is None else bias.float()
        if input_min is not None:
            self.bias = self.bias + input_min * (rows.sum(1, dtype=torch.int32) * scales)
        self.pack(rows, scales)

    @staticmethod
    def narrow_sums() -> bool:
        """Return True if the int8 operator sums pairs of products in 16 bits, which can overflow."""
        return not has_wide_sums()

    def pack(self, rows: Tensor, scales: Tensor) -> None:
        """Store int8 weights (n, k) and their scales (n,) in the form that the int8 operator reads."""
        raise NotImplementedError

    def multiply(self, q: Tensor) -> Tensor:
        """Return the product (t, n) of the int8 weights and scaled inputs (t, k), which it rounds to 8 bits."""
        raise NotImplementedError

    def forward(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        if self.inv_smooth is not None:
            x = x * self.inv_smooth
        if self.input_min is None:
            largest = torch.maximum(x.amax(1, keepdim=True), -x.amin(1, keepdim=True))  # (t, 1)
            scale = largest.clamp_(min=1e-30).div_(127)
            q = x / scale
        else:
            scale = x.amax(1, keepdim=True).sub_(self.input_min).clamp_(min=1e-30).div_(255)
            q = torch.addcmul(-self.input_min / scale, x, 1 / scale)  # (t, k)
        y = self.multiply(q)
        torch.addcmul(self.bias, y, scale, out=y)
        if self.act is not None:
            y = activate(self.act, y)
        return y if add is None else y.add_(add)


class OnednnInt8(Int8):
    """A linear layer by oneDNN's int8 operator, which is faster than FBGEMM's on processors with VNNI."""

    def pack(self, rows: Tensor, scales: Tensor) -> None:
        self.weight, self.scales = torch.ops.onednn.qlinear_prepack(rows, None), scales
        self.zeros = torch.zeros(len(rows), dtype=torch.long)
        # a bias that subtracts the zero point's part of each sum, which oneDNN would compute at each call
        self.offset = -self.zero_point * (rows.sum(1, dtype=torch.int32) * scales)  # (n,)

    def multiply(self, q: Tensor) -> Tensor:
        q = torch.quantize_per_tensor(q, 1.0, self.zero_point, torch.quint8)
        q = torch.empty(0, dtype=torch.uint8).set_(q.untyped_storage(), 0, q.shape, q.stride())  # the bytes, not copied
        return torch.ops.onednn.qlinear_pointwise(
            q, 1.0, 0, self.weight, self.scales, self.zeros, self.offset, 1.0, 0, torch.float32, "none", [], "none"
        )


class FbgemmInt8(Int8):
    """A linear layer by FBGEMM's int8 operator, which is faster than oneDNN's on processors without VNNI."""

    def pack(self, rows: Tensor, scales: Tensor) -> None:
        zeros = torch.zeros(len(rows), dtype=torch.long)
        weight = torch.quantize_per_channel(rows * scales[:, None], scales.double(), zeros, 0, torch.qint8)
        self.weight = torch.ops.quantized.linear_prepack(weight, None)

    def multiply(self, q: Tensor) -> Tensor:
        return torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(q, 1.0, self.zero_point, self.weight)


def int8_operator() -> type[Int8]:
    """Return the class of int8 linear layer whose operator, oneDNN's or FBGEMM's, is faster on this machine."""
    return OnednnInt8 if has_wide_sums() else FbgemmInt8


def quantise(weight: Tensor, narrow_sums: bool) -> tuple[Tensor, Tensor]:
    """Return the result of `operators.int8.quantise` as tensors."""
    rows, scales = int8.quantise(to_array(weight.float()), narrow_sums)
    return to_tensor(rows), to_tensor(scales)


class Int8Embedding(nn.Module):
    """Token embeddings that store each token's vector as int8 numbers and one scale."""

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


def to_int8_embedding(source: nn.Embedding) -> Int8Embedding | None:
    """Return token embeddings stored as int8, or None where int8 cannot hold them exactly, such as after training."""
    parts = []
    for vectors in source.weight.detach().split(1024):  # rows that fit a processor's cache
        rows, scales = quantise(vectors, narrow_sums=False)
        if not torch.equal(rows * scales[:, None], vectors):
            return None
        parts.append((rows, scales))
    return Int8Embedding(*map(torch.cat, zip(*parts, strict=True)))


@cache
def has_wide_sums() -> bool:
    """Return True if PyTorch's int8 operators add products in 32 bits, as on processors with VNNI."""
    k = 64
    x = torch.full((16, k), 255, dtype=torch.uint8)
    ones, zeros = torch.ones(16), torch.zeros(16, dtype=torch.long)
    try:
        weight = torch.ops.onednn.qlinear_prepack(torch.full((16, k), 127, dtype=torch.int8), [16, k])
        y = torch.ops.onednn.qlinear_pointwise(
            x, 1.0, 0, weight, ones, zeros, None, 1.0, 0, torch.float32, "none", [], "none"
        )
    except (RuntimeError, AttributeError, NotImplementedError, TypeError):  # this PyTorch lacks the operator
        return False
    return bool((y == 255 * 127 * k).all())
