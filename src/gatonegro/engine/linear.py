"""Linear layers act(x·Wᵀ + b) + add in fp32 and bf16, by PyTorch's public operators or oneDNN's fused ones.

oneDNN's operators are private to PyTorch: `optimize.is_usable` tries them before a model uses them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatonegro.engine.processor import vector_bits
from gatonegro.nn.encoder import ACTIVATIONS

PREPACK_TOKENS = 1024  # tokens per batch of the planner; oneDNN packs weights for this number

# activation → (name, arguments, algorithm) by which oneDNN fuses it with the product
ONEDNN_ACTIVATIONS: dict[str | None, tuple[str, list, str]] = {
    None: ("none", [], ""),
    "relu": ("relu", [], ""),
    "gelu": ("gelu", [], "none"),
    "gelu_new": ("gelu", [], "tanh"),
    "gelu_pytorch_tanh": ("gelu", [], "tanh"),
    "silu": ("swish", [], ""),
    "swish": ("swish", [], ""),
    "tanh": ("tanh", [], ""),
}


def activate(act: str, y: Tensor) -> Tensor:
    """Apply the activation function of a given name to a tensor, possibly in place, and return the result."""
    return torch.ops.aten.gelu_(y) if act == "gelu" else ACTIVATIONS[act](y)


class Linear(nn.Module):
    """A linear layer computed by PyTorch's public operators, which run on every machine and device."""

    def __init__(self, weight: Tensor, bias: Tensor | None, act: str | None = None):
        super().__init__()
        self.act = act
        self.weight, self.bias = weight, bias

    def forward(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        y = F.linear(x, self.weight, self.bias)  # (t, n)
        if self.act is not None:
            y = activate(self.act, y)
        return y if add is None else y.add_(add)


class Prepacked(nn.Module):
    """A linear layer in fp32 or bf16, computed by one fused oneDNN operator from weights packed in advance."""

    def __init__(self, weight: Tensor, bias: Tensor | None, act: str | None = None):
        super().__init__()
        # with narrow vectors, GELU is slower fused than separate
        is_fused = act in ONEDNN_ACTIVATIONS and (act in (None, "relu") or vector_bits() >= 512)
        self.fused_act = ONEDNN_ACTIVATIONS[act if is_fused else None]
        self.act = None if is_fused else act
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), PREPACK_TOKENS)
        self.bias = bias

    def forward(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        if add is not None and self.act is None and self.fused_act is ONEDNN_ACTIVATIONS[None]:
            return torch.ops.mkldnn._linear_pointwise.binary(x, add, self.weight, self.bias, "add")  # (t, n)
        y = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, *self.fused_act)  # (t, n)
        if self.act is not None:
            y = activate(self.act, y)
        return y if add is None else y.add_(add)
