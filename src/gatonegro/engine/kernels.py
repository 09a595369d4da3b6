"""PyTorch modules that compute by the compiled CPU kernels, which `operators.kernels` calls."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from gatonegro.operators import kernels
from gatonegro.operators.arrays import BF16


def to_array(tensor: Tensor) -> np.ndarray:
    """Return a CPU tensor's numbers as an array that shares its memory, bf16 as its bits."""
    tensor = tensor.detach()
    return tensor.view(torch.int16).numpy().view(BF16) if tensor.dtype == torch.bfloat16 else tensor.numpy()


def to_tensor(array: np.ndarray) -> Tensor:
    """Return an array's numbers as a tensor that shares its memory, the inverse of `to_array`."""
    return (
        torch.from_numpy(array.view(np.int16)).view(torch.bfloat16) if array.dtype == BF16 else torch.from_numpy(array)
    )


def supports_width(device: torch.device, dtype: torch.dtype, width: int) -> bool:
    """Return True if the compiled CPU kernels support attention heads and norms of this dtype and width."""
    supported = dtype in (torch.float32, torch.bfloat16) and kernels.supports_width(width)
    return supported and device.type == "cpu" and kernels.available()


class Kernel(nn.Module):
    """A linear layer act(x·Wᵀ + b) + add that a compiled kernel computes: in fp32, bf16 or int8.

    In int8, its results are bf16 or, if a residual is added, fp32.
    """

    def __init__(self, product: kernels.Linear):
        super().__init__()
        self.product = product
        self.out_dtype: np.dtype | None = None  # of the result, if not the precision's

    def forward(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        rows = to_array(x).reshape(-1, x.shape[-1])
        dtype = self.out_dtype or self.product.out_dtype(add is not None)
        shape = (*x.shape[:-1], self.product.n)
        residual = None if add is None else np.broadcast_to(to_array(add), shape).reshape(-1, self.product.n)
        return to_tensor(self.product(rows, residual, dtype)).view(shape)


class KernelNorm(nn.Module):
    """Layer norm in fp32 or bf16, https://arxiv.org/abs/1607.06450, or RMS norm, https://arxiv.org/abs/1910.07467."""

    def __init__(self, source: nn.LayerNorm | nn.RMSNorm):
        super().__init__()
        bias = getattr(source, "bias", None)
        self.weight = to_array(source.weight.float().contiguous())
        self.bias = None if bias is None else to_array(bias.float().contiguous())
        # of RMSNorm, None stands for the smallest step of fp32
        self.eps = torch.finfo(torch.float32).eps if source.eps is None else source.eps

    def forward(self, x: Tensor) -> Tensor:
        return to_tensor(kernels.norm(to_array(x), self.weight, self.bias, self.eps))  # (t, hidden)
