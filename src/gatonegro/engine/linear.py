"""act(x·Wᵀ + b) + add by the machine's fastest operator, and the test that each operator has to pass first.

The fast operators are private to PyTorch. Each is tried once, before a model is built of it; where one is missing or
wrong, the public one replaces it.
"""

from __future__ import annotations

import warnings
from functools import cache
from threading import Lock

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatonegro.engine.processor import vector_bits
from gatonegro.errors import GatonegroWarning
from gatonegro.nn.encoder import ACTIVATIONS

ONE_AT_A_TIME = Lock()  # `catch_warnings` is for one thread at a time
ROWS = 1024  # tokens per batch of the planner; oneDNN packs weights for this number

# activation → (name, arguments, algorithm) by which oneDNN computes it together with the product
FUSED: dict[str | None, tuple[str, list, str]] = {
    None: ("none", [], ""),
    "relu": ("relu", [], ""),
    "gelu": ("gelu", [], "none"),
    "gelu_new": ("gelu", [], "tanh"),
    "gelu_pytorch_tanh": ("gelu", [], "tanh"),
    "silu": ("swish", [], ""),
    "swish": ("swish", [], ""),
    "tanh": ("tanh", [], ""),
}
# activation → its minimum
LEAST = {
    "relu": 0.0,
    "gelu": -0.17,
    "gelu_new": -0.1701,
    "gelu_pytorch_tanh": -0.1701,
    "silu": -0.2785,
    "swish": -0.2785,
}


def in_place(act: str, y: Tensor) -> Tensor:
    """Return an activation of a tensor that nobody else holds; GELU is computed in place."""
    return torch.ops.aten.gelu_(y) if act == "gelu" else ACTIVATIONS[act](y)


class Linear(nn.Module):
    """The product by PyTorch's public operators, which are right on every machine and device."""

    def __init__(self, weight: Tensor, bias: Tensor | None, act: str | None = None):
        super().__init__()
        self.act = act
        self.weight, self.bias = weight, bias

    def forward(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        y = F.linear(x, self.weight, self.bias)  # (t, n)
        if self.act is not None:
            y = in_place(self.act, y)
        return y if add is None else y.add_(add)


class Prepacked(nn.Module):
    """The product and sum in fp32 or bf16 by one operator of oneDNN, with weights packed once."""

    def __init__(self, weight: Tensor, bias: Tensor | None, act: str | None = None):
        super().__init__()
        # with narrow vectors, GELU is slower inside oneDNN than outside
        inside = act in FUSED and (act in (None, "relu") or vector_bits() >= 512)
        self.post = FUSED[act if inside else None]
        self.act = None if inside else act
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS)
        self.bias = bias

    def forward(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        if add is not None and self.act is None and self.post is FUSED[None]:
            return torch.ops.mkldnn._linear_pointwise.binary(x, add, self.weight, self.bias, "add")  # (t, n)
        y = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, *self.post)  # (t, n)
        if self.act is not None:
            y = in_place(self.act, y)
        return y if add is None else y.add_(add)


class Int8(nn.Module):
    """The product by an int8 operator: weights have one scale per row, inputs one scale per token.

    With a scale per token, a sentence has the same answer alone and in a batch.

    Args:
        smooth: (k,), divides the inputs and multiplies the weights, so that large channels do not cost the others their
            precision, as in SmoothQuant, https://arxiv.org/abs/2211.10438 §4.
        low: minimum of the inputs, if there is one: all 256 steps then lie above it, and the bias makes up for it.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        act: str | None = None,
        smooth: Tensor | None = None,
        low: float | None = None,
    ):
        super().__init__()
        self.act, self.low, self.zero = act, low, 128 if low is None else 0
        if smooth is not None:
            weight = weight * smooth
        self.shrink = None if smooth is None else 1 / smooth  # (k,)
        rows, scales = quantise(weight, narrow=self.narrow())  # (n, k), (n,)
        self.bias = torch.zeros(len(rows)) if bias is None else bias.float()
        if low is not None:
            self.bias = self.bias + low * (rows.sum(1, dtype=torch.int32) * scales)
        self.pack(rows, scales)

    @staticmethod
    def narrow() -> bool:
        """Return True if the operator keeps sums of two products in 16 bits."""
        return not wide_sums()

    def pack(self, rows: Tensor, scales: Tensor) -> None:
        """Pack int8 weights (n, k) and their scales (n,) for the operator."""
        raise NotImplementedError

    def multiply(self, q: Tensor) -> Tensor:
        """Return the product (t, n) of inputs (t, k) that are rounded to bytes, of which `zero` steps are below 0."""
        raise NotImplementedError

    def forward(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        if self.shrink is not None:
            x = x * self.shrink
        if self.low is None:
            largest = torch.maximum(x.amax(1, keepdim=True), -x.amin(1, keepdim=True))  # (t, 1)
            scale = largest.clamp_(min=1e-30).div_(127)
            q = x / scale
        else:
            scale = x.amax(1, keepdim=True).sub_(self.low).clamp_(min=1e-30).div_(255)
            q = torch.addcmul(-self.low / scale, x, 1 / scale)  # (t, k)
        y = self.multiply(q)
        torch.addcmul(self.bias, y, scale, out=y)
        if self.act is not None:
            y = in_place(self.act, y)
        return y if add is None else y.add_(add)


class OnednnInt8(Int8):
    """oneDNN's operator, the faster one where sums are wide."""

    def pack(self, rows: Tensor, scales: Tensor) -> None:
        self.weight, self.scales = torch.ops.onednn.qlinear_prepack(rows, None), scales
        self.zeros = torch.zeros(len(rows), dtype=torch.long)
        # a bias that subtracts what `zero` adds to each sum, which oneDNN would compute at each call
        self.offset = -self.zero * (rows.sum(1, dtype=torch.int32) * scales)  # (n,)

    def multiply(self, q: Tensor) -> Tensor:
        q = torch.quantize_per_tensor(q, 1.0, self.zero, torch.quint8)
        q = torch.empty(0, dtype=torch.uint8).set_(q.untyped_storage(), 0, q.shape, q.stride())  # its bytes, uncopied
        return torch.ops.onednn.qlinear_pointwise(
            q, 1.0, 0, self.weight, self.scales, self.zeros, self.offset, 1.0, 0, torch.float32, "none", [], "none"
        )


class FbgemmInt8(Int8):
    """FBGEMM's operator, the faster one where sums are narrow, above all for few tokens; it rounds the inputs too."""

    def pack(self, rows: Tensor, scales: Tensor) -> None:
        zeros = torch.zeros(len(rows), dtype=torch.long)
        weight = torch.quantize_per_channel(rows * scales[:, None], scales.double(), zeros, 0, torch.qint8)
        self.weight = torch.ops.quantized.linear_prepack(weight, None)

    def multiply(self, q: Tensor) -> Tensor:
        return torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(q, 1.0, self.zero, self.weight)


def int8() -> type[Int8]:
    """Return the int8 operator for this machine."""
    return OnednnInt8 if wide_sums() else FbgemmInt8


def quantise(weight: Tensor, narrow: bool) -> tuple[Tensor, Tensor]:
    """Return int8 rows (n, k) and one scale per row (n,).

    With sums of two products in 16 bits (`narrow`), two neighbours of a row are at most 128 together: 255 · 128 fits.
    """
    largest = weight.abs().amax(1) / 127
    if narrow:
        pairs = F.pad(weight.abs(), (0, weight.shape[1] % 2)).unflatten(1, (-1, 2)).sum(2)  # (n, k / 2)
        largest = torch.maximum(largest, pairs.amax(1) / 127)  # 127, since both may be rounded up
    scales = largest.clamp(min=1e-30)
    return (weight / scales[:, None]).round_().clamp_(-127, 127).to(torch.int8), scales


@cache
def wide_sums() -> bool:
    """Return True if int8 operators have more than 16 bits for sums of two products: with VNNI, not with AVX2."""
    k = 64
    x = torch.full((16, k), 255, dtype=torch.uint8)
    ones, zeros = torch.ones(16), torch.zeros(16, dtype=torch.long)
    try:
        weight = torch.ops.onednn.qlinear_prepack(torch.full((16, k), 127, dtype=torch.int8), [16, k])
        y = torch.ops.onednn.qlinear_pointwise(
            x, 1.0, 0, weight, ones, zeros, None, 1.0, 0, torch.float32, "none", [], "none"
        )
    except (RuntimeError, AttributeError, NotImplementedError, TypeError):  # there is no such operator
        return False
    return bool((y == 255 * 127 * k).all())


@cache
def usable(kind: type[nn.Module], dtype: torch.dtype = torch.float32) -> bool:
    """Return True if an operator exists and agrees with `Linear`; warn once where it does not."""
    random = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(n, 96, generator=random) for n in (70, 48))
    bias, add = (torch.randn(*size, generator=random) for size in ((48,), (70, 48)))
    wanted = Linear(weight, bias)(x, add)
    given = [t.to(dtype) for t in (weight, bias, x, add)]
    try:
        with ONE_AT_A_TIME, torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's quantize_… warn, once, that they may be removed
            result = kind(*given[:2])(*given[2:]).float()
        error = float((result - wanted).abs().max() / wanted.abs().max())
        why = "" if error < (1e-5 if kind is Prepacked and dtype == torch.float32 else 0.03) else f"{error:.2g}"
    except (RuntimeError, AttributeError, NotImplementedError, TypeError) as failure:
        why = str(failure).partition("\n")[0][:200]
    if why:
        what = "int8" if issubclass(kind, Int8) else str(dtype).removeprefix("torch.")
        warning = GatonegroWarning(
            f"PyTorch's fast operator for {what} cannot be used here ({why}); a slower one takes its place. "
            "precision='auto' chooses what is fast here.",
            f"el operador rápido de PyTorch para {what} no se puede usar aquí ({why}); lo sustituye otro más lento. "
            "precision='auto' elige lo que aquí es rápido.",
        )
        warnings.warn(warning, stacklevel=2)
    return not why
